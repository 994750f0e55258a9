"""Takes screenshots of a study's page and its explorer, to be looked at by a person.

`make screenshots`, or `python -m tests.helpers.screenshots --help`
"""

from pathlib import Path

from absl import flags

from residual_ensembles import cli
from tests.helpers.browser import ARGUMENTS, executable

FLAGS = flags.FLAGS

WIDTHS = {"phone": 375, "desk": 1280}
SCHEMES = ("light", "dark")
HIGHEST = 16_000
"""Pixels; Chromium repeats itself beyond 16,384."""
LESIONS = {
    "explorer": (
        "network=resnet&lesion=delete 7,10,21,33; swap 40-45",
        "network=vgg&lesion=delete 5",
    ),
    "report": ("",),
}
"""What is shown of each page, as its address has it."""


def define_flags() -> None:
    flags.DEFINE_string("results_dir", "results/digits", "folder of report.html and explorer.html")
    flags.DEFINE_string("output_dir", "tmp/screenshots", "folder for the screenshots")


def take(browser, page: Path, output_dir: Path) -> None:
    """Takes screenshots of one page, by width, scheme and what is shown."""
    for scheme in SCHEMES:
        for device, width in WIDTHS.items():
            for number, address in enumerate(LESIONS[page.stem], start=1):
                opened = browser.new_page(
                    color_scheme=scheme,
                    viewport={"width": width, "height": 800},
                    has_touch=device == "phone",
                    is_mobile=device == "phone",
                )
                opened.goto(f"{page.resolve().as_uri()}#{address}")
                if page.stem == "explorer":
                    opened.locator("#status:not(:empty)").wait_for(state="attached")
                height = opened.evaluate("document.documentElement.scrollHeight")
                name = f"{page.stem}-{number}-{device}-{scheme}.png"
                clip = {"x": 0, "y": 0, "width": width, "height": min(height, HIGHEST)}
                opened.screenshot(path=output_dir / name, full_page=True, clip=clip)
                opened.close()
                print(output_dir / name)


def main() -> None:
    from playwright.sync_api import sync_playwright

    output_dir = Path(FLAGS.output_dir)
    cli.require_writable_folder(output_dir)
    if executable() is None:
        raise ValueError("Received no Chromium, expected one: on Debian, apt install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        for name in LESIONS:
            take(browser, Path(FLAGS.results_dir) / f"{name}.html", output_dir)
        browser.close()


if __name__ == "__main__":
    define_flags()
    cli.run(main)
