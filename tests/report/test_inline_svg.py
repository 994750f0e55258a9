from residual_ensembles.figures import style
from residual_ensembles.report.page import inline_svg

SVG = f"""<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="10pt" height="9pt" viewBox="0 0 10 9" \
xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata>secret</metadata><!-- a comment -->
 <defs><style type="text/css">*{{stroke: red}}</style></defs>
 <g id="unused"><path id="m1" d="M 0 0" style="fill: {style.INK}; stroke: {style.GRID}"/></g>
 <use xlink:href="#m1" clip-path="url(#c1)" style="fill: {style.PAPER}"/><clipPath id="c1"/>
</svg>
"""


def test_only_the_element_is_left():
    svg = inline_svg(SVG, "fig3", "A <title>")
    assert svg.startswith('<svg viewBox="0 0 10 9" role="img" aria-labelledby="fig3-title">')
    assert '<title id="fig3-title">A &lt;title&gt;</title>' in svg
    for gone in ("secret", "comment", "DOCTYPE", "http", "stroke: red", "unused"):
        assert gone not in svg


def test_names_do_not_clash():
    svg = inline_svg(SVG, "fig3", "t")
    assert 'id="fig3-m1"' in svg
    assert 'href="#fig3-m1"' in svg
    assert "url(#fig3-c1)" in svg
    assert 'id="fig3-c1"' in svg


def test_the_page_lends_its_colors():
    svg = inline_svg(SVG, "fig3", "t")
    assert "fill: currentColor; stroke: var(--line)" in svg
    assert "fill: var(--card)" in svg
