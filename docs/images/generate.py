"""Generate the pictures of the README: `make images`.

Runs the main job on a copy of examples/quickstart with the embedded AWS, and takes screenshots of the report
and of the plan as a pull request comment. Needs Chromium, and the package index.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "examples" / "quickstart"
LAMBDA_LAYERS = Path(sys.executable).with_name("lambda-layers")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_INPUT, _OLD_PIN, _NEW_PIN = "layers/web.in", "orjson==3.11.0", "orjson==3.11.4"
_MOST_BYTES = 150_000
_WIDTH = 1000
_COMMENT = """\
<!DOCTYPE html>
<meta charset="utf-8">
<style>
  body {{ margin: 0; padding: 16px; font: 14px/1.5 "Liberation Sans", Arial, sans-serif; color: #1f2328; }}
  article {{ border: 1px solid #d1d9e0; border-radius: 6px; }}
  header {{ padding: 8px 16px; background: #f6f8fa; border-bottom: 1px solid #d1d9e0; color: #59636e; }}
  header b {{ color: #1f2328; }}
  header span {{ padding: 0 7px; border: 1px solid #d1d9e0; border-radius: 2em; font-size: 12px; }}
  main {{ padding: 0 16px; }}
  h2 {{ padding-bottom: 7px; border-bottom: 1px solid #d1d9e0; font-size: 21px; }}
  table {{ border-collapse: collapse; margin-bottom: 16px; }}
  th, td {{ padding: 6px 13px; border: 1px solid #d1d9e0; text-align: left; }}
  tbody tr:nth-child(2n) {{ background: #f6f8fa; }}
  code {{ padding: 2px 5px; border-radius: 6px; background: #eff1f3; font: 12px "DejaVu Sans Mono", monospace; }}
  a {{ color: #0969da; }}
</style>
<article>
  <header><b>github-actions</b> commented <span>bot</span></header>
  <main>{body}</main>
</article>
"""
"""A page that looks like a comment on GitHub."""


def main() -> None:
    """Write report.png and comment.png beside this file."""
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit("error: no Chromium on PATH; install the package chromium, or Google Chrome")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "quickstart"
        shutil.copytree(EXAMPLE, folder)
        comment = _run_the_job(folder)
        page = folder / "comment.html"
        page.write_text(_COMMENT.format(body=_as_html(comment)), "utf-8")
        _screenshot(browser, folder / "lambda-layers.html", HERE / "report.png", height=960, zoom=0.85)
        _screenshot(browser, page, HERE / "comment.png", height=595)


def _run_the_job(folder: Path) -> str:
    """Deploy, raise one pin, plan, deploy and report; return the comment of the plan."""
    _run(folder, "deploy", "--aws", "local")
    pins = folder / _INPUT
    pins.write_text(pins.read_text("utf-8").replace(_OLD_PIN, _NEW_PIN), "utf-8")
    _run(folder, "lock")
    summary = folder / "summary.md"
    _run(folder, "plan", "--aws", "local", GITHUB_STEP_SUMMARY=str(summary))
    _run(folder, "deploy", "--aws", "local")
    _run(folder, "report", "--aws", "local")
    return summary.read_text("utf-8")


def _run(folder: Path, command: str, *options: str, **environment: str) -> None:
    subprocess.run(  # noqa: S603 - our own words
        [LAMBDA_LAYERS, command, "--quiet", *options],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _as_html(markdown: str) -> str:
    """Render the tables and text of a summary; links have no target in a picture."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return re.sub(r'href="[^"]*"', 'href="#"', html.replace("&lt;!-- lambda-layers --&gt;", ""))


def _screenshot(browser: str, page: Path, picture: Path, *, height: int, zoom: float = 1.0) -> None:
    """Write the first screen of a page as PNG, 1,000 pixels wide."""
    subprocess.run(  # noqa: S603 - our own words
        [
            browser,
            "--headless",
            "--no-sandbox",  # the pages are our own, and containers run as root
            "--disable-gpu",
            "--hide-scrollbars",
            f"--force-device-scale-factor={zoom}",
            f"--window-size={round(_WIDTH / zoom)},{round(height / zoom)}",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        capture_output=True,
        check=True,
    )
    size = picture.stat().st_size
    if size > _MOST_BYTES:
        sys.exit(f"error: {picture.name} has {size:,} bytes, more than {_MOST_BYTES:,}; lower its height")
    sys.stdout.write(f"wrote {picture.relative_to(HERE.parent.parent)}, {size:,} bytes\n")


if __name__ == "__main__":
    main()
