"""The documentation site: `make docs` builds it into build/docs.

Nothing of it is fetched from elsewhere, neither while it is built nor while it is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for building/

import palette

project = "palette"
author = "The palette authors"
copyright = author
version = release = palette.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "building.mathml",
    "building.reference",
]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
smartquotes = False  # they would make a dash of the two of a flag
default_role = "literal"  # of docstrings, where one backtick means code as in Markdown

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 72

html_theme = "furo"
html_title = "palette"
html_static_path = ["static"]
html_css_files = ["palette.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#9a3412", "color-brand-content": "#9a3412"},
    "dark_css_variables": {"color-brand-primary": "#fdba74", "color-brand-content": "#fdba74"},
}
highlight_language = "none"  # of blocks that name no language
pygments_style = "friendly"
pygments_dark_style = "github-dark"
