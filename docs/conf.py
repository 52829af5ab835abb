"""The site: the committed notebooks and results as one book. Nothing is executed, nothing is fetched."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
os.environ.setdefault("MMNB_ROOT", str(HERE.parent))
sys.path.insert(0, str(HERE))

import docstrings
import executed
import mathml
import pages
import repository
import teaching
from docutils import nodes
from sphinx import addnodes

from mmnb import paths
from mmnb.runner import selection

pages.write(HERE / "made")
teaching.write(HERE / "made")

project = "mmnb"
author = "the mmnb authors"
html_title = "mmnb"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "sphinxcontrib.bibtex"]
bibtex_bibfiles = ["references.bib"]
exclude_patterns = ["_build", "made/downloads", "verdicts.md"]  # the site has the same page as made/verdicts
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath", "amsmath", "attrs_block", "colon_fence", "html_image"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True
# captions are Markdown and tables HTML: what a notebook shows in JupyterLab is what the site shows
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "text/markdown", 10), ("html", "image/png", 20)]

autodoc_inherit_docstrings = False
autodoc_member_order = "groupwise"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
add_module_names = False
html_domain_indices = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Formula", "Rule", "Source"]

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
where = repository.find(
    paths.root()
)  # None: no links to a repository, to Colab and to Binder; docs/installation.md says how to give one
if where:
    html_theme_options |= {
        "repository_url": where.address,
        "repository_branch": where.branch,
        "use_repository_button": True,
    }
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"


def setup(app):
    """Formulas as MathML, which browsers draw themselves: no script, no font, no network."""
    app.add_role("nb", _link_to_notebook)
    app.add_html_math_renderer("mathml", inline_renderers=(mathml.inline, None), block_renderers=(mathml.block, None))
    app.connect("html-page-context", _no_list_of_citations)
    app.connect("autodoc-process-docstring", _as_rst, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", _skip)


def _link_to_notebook(name, rawtext, text, lineno, inliner, options=None, content=None):
    """The role {nb}`06`: a link to the page of the notebook with that number."""
    found = [slug for slug in selection.available() if executed.number(slug) == text]
    if not found:
        return [], [inliner.reporter.error(f"there is no notebook {text!r}", line=lineno)]
    target = addnodes.pending_xref(
        "", refdomain="std", reftype="doc", reftarget=f"/made/notebooks/{found[0]}", refexplicit=True, refwarn=True
    )
    target += nodes.inline("", f"→ notebook {text}", classes=["xref", "std", "std-doc"])
    return [target], []


def _as_rst(app, what, name, obj, options, lines):
    lines[:] = docstrings.to_rst(lines)


def _skip(app, what, name, obj, skip, options):
    """Leave out the fields of a NamedTuple ("Alias for field number 0") and former names."""
    return True if (getattr(obj, "__doc__", None) or "").startswith(("Alias for field", "Deprecated name")) else None


def _no_list_of_citations(app, page, template, context, doctree):
    """Docutils calls a bibliography a list whose children are no list items; screen readers then announce an empty list."""
    if "body" in context:
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )
