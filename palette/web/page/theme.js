// Light, dark, or as the system has it. Loaded before the page is drawn, so that nothing flashes.
(() => {
  const names = ["auto", "light", "dark"];
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = localStorage.getItem("theme") ?? "auto";

  function apply() {
    const dark = choice === "dark" || (choice === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    const button = document.getElementById("theme");
    if (button) button.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[choice];
  }

  system.addEventListener("change", apply);
  apply();
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.setAttribute("aria-label", "Colours of the page");
    button.addEventListener("click", () => {
      choice = names[(names.indexOf(choice) + 1) % names.length];
      localStorage.setItem("theme", choice);
      apply();
    });
    apply();
  });
})();
