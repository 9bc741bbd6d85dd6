"""A real browser without a window for the batch page: Debian's Chromium, driven by its own driver."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1400,1000",
)
LONG_ENOUGH_S = 180


@contextmanager
def open_browser(downloads: Path):
    """Chromium with a fresh profile; a test that needs it is skipped where it is missing.

    Args:
        downloads: folder that takes what a page saves.
    """
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs Debian's chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        driver.set_script_timeout(LONG_ENOUGH_S)
        driver.set_page_load_timeout(LONG_ENOUGH_S)
        try:
            yield driver
        finally:
            driver.quit()


def wait_for(driver, script: str, *arguments):
    """What a script gives as soon as it is true."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(driver, LONG_ENOUGH_S, 0.05).until(lambda one: one.execute_script(script, *arguments))


def press(driver, *keys: str) -> None:
    """Keys of the keyboard, to whatever has the focus."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()
