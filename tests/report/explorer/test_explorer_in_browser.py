"""The explorer in Chromium: against Python, and as a person uses it."""

import numpy as np
import pytest

from residual_ensembles.lesions import Lesion, check_lesion, critical_modules, swappable
from residual_ensembles.lesions.engine.reference import CompiledParts
from residual_ensembles.report.assets import asset
from residual_ensembles.report.explorer.operations import half
from residual_ensembles.statistics.randomness import generator
from tests.helpers.untrained import CLASS_NAMES, N_IMAGES, Split

pytestmark = pytest.mark.browser

TOLERANCE = 1e-3
"""Of logits, relative to an image's largest."""
N_LESIONS = 20


@pytest.fixture
def explorer(open_page, path):
    """The explorer with the intact ResNet, done."""

    def make(**options):
        shown = open_page(path, **options).page
        done(shown)
        return shown

    return make


def done(shown):
    shown.locator("#status:not(:empty)").wait_for(state="attached", timeout=60_000)


def lesion(shown):
    return shown.input_value("#lesion")


def choose(shown, title):
    shown.get_by_role("radio", name=title).check()
    done(shown)


def ask(shown, text):
    """Types a lesion, and returns logits `(images, classes)`."""
    shown.fill("#lesion", text)
    shown.press("#lesion", "Enter")
    done(shown)
    return np.array(shown.evaluate("state.logits.map((logits) => [...logits])"))


def rounded(chain):
    """The network with the kernels that are in the page."""
    for variable in chain.trainable_variables:
        if variable.path.endswith("kernel"):
            variable.assign(half(variable).astype(np.float32))
    return chain


def random_lesion(chain, draw):
    """One to ten deletions and one to four swaps; the first has none."""
    random = generator(0, "explorer lesions", draw)
    n = len(chain.modules)
    pairs = swappable(chain, critical_modules(chain))
    n_deleted, n_swapped = (min(draw, int(random.integers(1, most))) for most in (11, 5))
    result = Lesion(
        random.choice(np.arange(1, n + 1), n_deleted, replace=False),
        [pairs[i] for i in random.choice(len(pairs), n_swapped, replace=False)],
    )
    check_lesion(result, chain)
    return result


@pytest.mark.parametrize("name", ["resnet", "vgg"])
def test_logits_agree_with_python(explorer, chains, shown, name):
    browser = explorer()
    choose(browser, "VGG-15" if name == "vgg" else "ResNet-110")
    chain = rounded(chains[name])
    network = CompiledParts(chain, compile=lambda function: function)
    images = Split().images(shown.positions)
    intact = network(Lesion(), images)
    outcomes = set()
    for draw in range(N_LESIONS):
        wanted = random_lesion(chain, draw)
        expected = network(wanted, images)
        result = ask(browser, str(wanted))
        n_modules = len(chain.modules)
        assert Lesion.parse(lesion(browser)).steps(n_modules) == wanted.steps(n_modules)
        size = np.abs(expected).max(axis=-1, keepdims=True)
        assert (np.abs(result - expected) / size).max() < TOLERANCE
        second, first = np.sort(expected, axis=-1)[:, -2:].T
        clear = first - second > 2 * TOLERANCE * size[:, 0]
        predicted = result.argmax(axis=-1)
        np.testing.assert_array_equal(predicted[clear], expected.argmax(axis=-1)[clear])
        assert browser.inner_text("#wrong") == str((predicted != shown.labels).sum())
        assert draw == 0 or (np.abs(expected - intact) / size).max() > 10 * TOLERANCE
        outcomes.add(str(wanted))
    assert len(outcomes) > N_LESIONS - 3  # two draws may come to the same


def test_a_click_deletes_and_the_paths_follow(explorer):
    shown = explorer()
    assert shown.inner_text("#paths-left").replace("\u202f", "") == str(2**54)
    module = shown.get_by_role("button", name="Module 28")
    module.click()
    done(shown)
    assert module.get_attribute("aria-pressed") == "true"
    assert lesion(shown) == "delete 28"
    assert shown.inner_text("#paths-left").replace("\u202f", "") == str(2**53)
    assert "26.5 modules" in shown.get_attribute("#histogram", "aria-label")
    assert shown.inner_text("#status") == shown.inner_text("#status").strip()
    shown.click("#reset")
    assert lesion(shown) == "intact"
    choose(shown, "VGG-15")
    shown.get_by_role("button", name="Module 5").click()
    done(shown)
    assert shown.inner_text("#paths-left") == "0"
    assert shown.get_attribute("#histogram", "aria-label") == "No path is left"


def test_a_drag_swaps_within_a_stage_only(explorer):
    shown = explorer()
    shown.drag_and_drop(".module >> nth=3", ".module >> nth=8")
    assert lesion(shown) == "swap 4-9"
    assert shown.locator(".module").all_inner_texts()[3:9] == ["9", "5", "6", "7", "8", "4"]
    shown.drag_and_drop(".module >> nth=3", ".module >> nth=30")
    assert lesion(shown) == "swap 4-9"
    assert "the shapes differ" in shown.inner_text("#problem")


def test_two_picks_swap(explorer):
    shown = explorer(has_touch=True, viewport={"width": 360, "height": 740})
    shown.get_by_role("radio", name="swaps two").tap()
    shown.tap(".module >> nth=3")
    assert "picked for a swap" in shown.get_attribute(".module >> nth=3", "aria-label")
    shown.tap(".module >> nth=8")
    done(shown)
    assert lesion(shown) == "swap 4-9"
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360


def test_k_at_random(explorer):
    shown = explorer()
    shown.fill("#k", "5")
    shown.check("#except")
    shown.click("#random-delete")
    deleted = Lesion.parse(lesion(shown)).deletions
    assert len(deleted) == 5
    assert not {1, 19, 37} & set(deleted)
    shown.click("#random-swap")
    assert 0 < len(Lesion.parse(lesion(shown)).swaps) <= 5
    shown.fill("#k", "999")
    shown.click("#random-delete")
    assert len(Lesion.parse(lesion(shown)).deletions) == 51
    done(shown)


def test_the_keyboard_is_enough(explorer):
    shown = explorer()
    shown.locator(".skip").focus()

    def press(*keys):
        for key in keys:
            shown.keyboard.press(key)

    def focused(what):
        return shown.evaluate(f"document.activeElement.{what}")

    press("Enter", "Tab")
    assert focused("textContent") == "1"
    outline = shown.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    press("ArrowRight", "ArrowRight", "Enter")
    assert lesion(shown) == "delete 3"
    press("Shift+ArrowRight")
    assert lesion(shown) == "delete 3; swap 3-4"
    assert focused("ariaLabel") == "Module 3, at position 4, deleted"
    press("ArrowDown")
    assert focused("textContent") == "22"
    press("Home", "End")
    assert focused("textContent") == "54"
    press("ArrowUp", "Space")
    assert lesion(shown) == "delete 3,36; swap 3-4"
    press("Home", "Shift+Tab", "Enter")
    assert focused("id") == "reset"
    assert lesion(shown) == "intact"
    shown.locator("#network-0").focus()
    press("ArrowRight")
    assert shown.evaluate("state.network") == 1
    press("Tab", "Tab", "Tab", "Enter")
    assert focused("id") == "random-delete"
    assert lesion(shown).startswith("delete ")
    done(shown)


def test_a_late_event_of_an_anchor_does_not_reset_the_lesion(explorer):
    shown = explorer()
    shown.get_by_role("button", name="Module 3").first.click()
    shown.locator(".module >> nth=2").focus()
    # The skip link's event, delivered when the address already speaks of a lesion.
    shown.evaluate("dispatchEvent(new HashChangeEvent('hashchange', { newURL: 'file:///#row' }))")
    shown.keyboard.press("Shift+ArrowRight")
    assert lesion(shown) == "delete 3; swap 3-4"


def test_a_lesion_can_be_linked(explorer):
    shown = explorer()
    ask(shown, "delete 3; swap 4-9")
    address = shown.evaluate("location.hash")
    assert address == "#network=resnet&lesion=delete+3%3B+swap+4-9"
    shown.evaluate("location.hash = 'network=vgg&lesion=delete+8'")
    shown.get_by_role("button", name="Module 8, deleted").wait_for()
    assert shown.is_checked("#network-1")
    shown.evaluate("location.hash = 'network=vgg&lesion=delete+99'")
    shown.get_by_text("There is no module 99.").wait_for()
    assert lesion(shown) == "intact"


@pytest.mark.parametrize(
    "text",
    [
        *("delete", "delete 3 4", "swap 3", "swap 1-19", "swap 4-4", "no"),
        *("delete 3; delete 3", "swap 4-9; delete 3; swap 4-9", "delete 3,3"),
    ],
)
def test_a_lesion_that_cannot_be_is_said(explorer, text):
    shown = explorer()
    shown.fill("#lesion", text)
    shown.press("#lesion", "Enter")
    assert shown.inner_text("#problem") != ""
    assert shown.locator(".module.moved, [aria-pressed=true]").count() == 0


def test_what_is_not_a_number_stays_so(explorer):
    forward = asset("report/explorer/forward.js")
    relu = "RUN.relu({ data: Float32Array.of(NaN, -1, 2) })"
    result = explorer().evaluate(f"(() => {{ {forward}; return [...{relu}.data].map(String); }})()")
    assert result == ["NaN", "0", "2"]


def test_another_lesion_ends_what_is_computed(explorer):
    shown = explorer()
    for module in (2, 3, 4, 5):
        shown.click(f".module >> nth={module}")
    done(shown)
    assert lesion(shown) == "delete 3,4,5,6"
    assert shown.locator("#gallery .waiting").count() == 0
    assert shown.inner_text("#done") == str(N_IMAGES)


def test_class_names_stay_text(explorer, shown):
    browser = explorer()
    names = browser.evaluate("study.class_names")
    assert names == CLASS_NAMES
    label = browser.get_attribute(
        f"#gallery li >> nth={shown.labels.index(0)} >> canvas", "aria-label"
    )
    assert label == f"image of {CLASS_NAMES[0]}"
    texts = " ".join(browser.locator("#gallery li").all_inner_texts())
    predicted = browser.evaluate("state.logits.map(highest)")
    assert texts.count(CLASS_NAMES[0]) == predicted.count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_serious_violation(open_page, path, scheme, width):
    opened = open_page(path, color_scheme=scheme, viewport={"width": width, "height": 800})
    done(opened.page)
    ask(opened.page, "delete 1,2,3; swap 5-6")
    assert opened.violations() == []
