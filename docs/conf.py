"""The site: the committed notebooks and results as one book. Nothing is executed, nothing is fetched."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
os.environ.setdefault("MMNB_ROOT", str(HERE.parent))
sys.path.insert(0, str(HERE))

import mathml  # noqa: E402  the folder of this file is on the path only now
import pages  # noqa: E402
import teaching  # noqa: E402

pages.write(HERE / "made")
teaching.write(HERE / "made")

project = "mmnb"
author = "the mmnb authors"
html_title = "mmnb"
language = "en"

extensions = ["myst_nb", "sphinx_copybutton", "sphinxcontrib.bibtex"]
bibtex_bibfiles = ["references.bib"]
exclude_patterns = ["_build", "verdicts.md"]  # the site has the same page as made/verdicts
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "html_image"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True
# captions are Markdown and tables HTML: what a notebook shows in JupyterLab is what the site shows
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "text/markdown", 10), ("html", "image/png", 20)]

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["mmnb.css"]
html_js_files = ["mmnb.js"]
html_favicon = "_static/mark.svg"
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
html_theme_options = {
    "logo": {"text": "Does a multimodal model use its modalities together?"},
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"


def setup(app):
    """Formulas as MathML, which browsers draw themselves: no script, no font, no network."""
    app.add_html_math_renderer("mathml", inline_renderers=(mathml.inline, None), block_renderers=(mathml.block, None))
    app.connect("html-page-context", _no_list_of_citations)


def _no_list_of_citations(app, page, template, context, doctree):
    """Docutils calls a bibliography a list whose children are no list items; screen readers then announce an empty list."""
    if "body" in context:
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )
