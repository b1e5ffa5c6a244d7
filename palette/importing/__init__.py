"""Published weights of other tools as model folders; `palette import` is the only way in."""
