"""Sphinx configuration: `make docs` builds the site in docs/_build/html, offline.

Tutorials are executed when their text changed; what they printed is cached in
docs/_build/.jupyter_cache. Pages that follow from the code (API, command lines, figures, studies)
are written by docs/generate.py, so that they cannot be out of date.
"""

import sys
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

import residual_ensembles

sys.path.insert(0, str(Path(__file__).parent))
import generate

DOCS = Path(__file__).parent

project = "residual-ensembles"
author = "The residual-ensembles authors"
version = release = residual_ensembles.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# The last are parts of the page of results.
parts = [f"generated/{name}.md" for name in generate.PARTS]
exclude_patterns = ["_build", "results", *parts]
default_role = "literal"  # in docstrings, `x` is code
suppress_warnings = ["mystnb.unknown_mime_type"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS / "_build" / ".jupyter_cache")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
nb_output_stderr = "remove"  # TensorFlow tells there of the processor

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # those of Keras are Markdown
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = "residual-ensembles"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def visit_math(translator, node):
    """Writes a formula as MathML, which browsers draw themselves: MathJax would be loaded from
    another site."""
    if isinstance(node, nodes.math_block):
        formula = convert(node.astext(), display="block")
        # What scrolls can be reached with the keyboard.
        translator.body.append(f'<div class="formula" tabindex="0">{formula}</div>')
    else:
        translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


NOTEBOOK = """---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---
{title}

Download this page as a {{nb-download}}`notebook <{name}.ipynb>`.
{rest}"""


def as_notebook(app, docname, source):
    """Makes a notebook of a tutorial, whose cells are its blocks of Python."""
    folder, _, name = docname.rpartition("/")
    if folder == "tutorials" and name != "index":
        title, _, rest = source[0].partition("\n")
        rest = rest.replace("```python\n", "```{code-cell} python\n")
        source[0] = NOTEBOOK.format(title=title, name=name, rest=rest)


def setup(app):
    """Connects what is made by us."""
    app.connect("source-read", as_notebook)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
    app.connect("config-inited", lambda app, config: generate.write_pages())
    app.connect("build-finished", generate.write_studies)
