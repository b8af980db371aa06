"""The console in a real browser, Debian's chromium without a screen: `make test-console`. `make console-pictures` makes the pictures of
docs/pictures."""

import os
import pathlib
import shutil
import tempfile
import time
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from harness import relais
import console_test
from console_test import EVIL, PASSWORD

PLACES = ("/", "/queue", "/destinations", "/people", "/refusals", "/who", "/settings")
PHONE, DESK = (390, 844), (1280, 860)


def new_driver(profile, dark=False):
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
                 "--disable-background-networking", "--no-first-run", *(("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if dark else ())):
        options.add_argument(word)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class Browsing(console_test.Console):
    __test__ = False

    def opened(self, size=DESK, **options):
        profile = tempfile.mkdtemp(prefix="relais-browser.")
        self.addCleanup(shutil.rmtree, profile, ignore_errors=True)
        driver = new_driver(profile, **options)
        self.addCleanup(driver.quit)
        driver.set_window_size(*size)
        self.driver = driver
        return driver

    def go(self, path):
        self.driver.get(f"http://127.0.0.1:{self.port}{path}")

    def until(self, condition, what):
        WebDriverWait(self.driver, 60).until(lambda _: condition(), what)

    def log_in(self, name="anna", password=PASSWORD):
        self.go("/login")
        self.driver.find_element(By.NAME, "name").send_keys(name)
        self.driver.find_element(By.NAME, "password").send_keys(password, Keys.ENTER)

    def text(self):
        return self.driver.find_element(By.ID, "main").text

    def load(self, messages):
        """Of all kinds: delivered, deferred, held, refused."""
        self.bob.write(".qmail-ok", "./Maildir/\n")
        self.bob.write(".qmail-no", "|echo There is nobody of that name here.; exit 100\n")
        for number in range(messages):
            self.i.send(f"shop{number % 3}@b.example", [("bob-ok", "bob-ok", "bob-later", "bob-no")[number % 4] + "@mail.test"], "Subject: x\n\n" + 60 * number * "x" + "\n")
        with self.i.smtp() as client:
            client.command("MAIL FROM:<spam@c.example>")
            for number in range(4):
                client.command(f"RCPT TO:<user{number}@elsewhere.example>", 553)


# The tests of that class are not ours too.
for _name in [name for name in dir(console_test.Console) if name.startswith("test_")]:
    setattr(Browsing, _name, None)


class InABrowser(Browsing):
    def test_a_day_of_an_operator(self):
        self.started(smtpd="listener", rcpthosts="mail.test")
        self.load(12)
        driver = self.opened()
        self.log_in(password="wrong")
        self.until(lambda: "wrong name or password" in self.text(), "the refusal")
        self.log_in()
        self.until(lambda: driver.title == "Now - relais", "the first page")
        driver.get_log("browser")  # the refusal
        for path in PLACES:
            self.go(path)
            self.assertTrue(self.text(), path)
            self.assertEqual(driver.execute_script("return document.documentElement.lang"), "en")
            self.assertEqual([entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE" and "favicon" not in entry["message"]], [], path)
        self.go("/queue?sender=shop*")
        boxes = driver.find_elements(By.NAME, "id")
        boxes = [box for box in boxes if box.get_attribute("type") == "checkbox"]
        self.assertTrue(boxes)
        boxes[0].click()
        driver.find_element(By.CSS_SELECTOR, "button[value=hold]").click()
        self.until(lambda: "1 of 1 done" in self.text(), "a held message")
        self.go("/queue?state=held")
        [box for box in driver.find_elements(By.NAME, "id") if box.get_attribute("type") == "checkbox"][0].click()
        driver.find_element(By.CSS_SELECTOR, "button[value=delete]").click()
        self.until(lambda: driver.title == "delete? - relais", "the question")
        self.assertIn("cannot be undone", self.text())
        driver.find_element(By.CSS_SELECTOR, "button[value=delete]").click()
        self.until(lambda: "1 of 1 done" in self.text(), "a deleted message")
        driver.find_element(By.CSS_SELECTOR, ".out button").click()
        self.until(lambda: driver.title == "Log in - relais", "the end")

    def test_script_is_not_run(self):
        self.started()
        (id,) = self.waiting(sender=f'"{EVIL}"@b.example', recipient='bob-"<img src=x onerror=document.title=1>"@mail.test')
        driver = self.opened()
        self.log_in()
        for path in ("/", "/queue", f"/message?id={id}"):
            self.go(path)
            self.assertTrue(driver.title.endswith(" - relais"), driver.title)
            self.assertEqual(driver.find_elements(By.CSS_SELECTOR, "main script, main img"), [])

    def test_a_form_of_somebody_elses_does_nothing(self):
        self.started()
        (id,) = self.waiting()
        driver = self.opened()
        self.log_in()
        self.until(lambda: driver.title == "Now - relais", "the first page")
        form = f'<form method=post action="http://127.0.0.1:{self.port}/queue/act"><input name=act value=hold><input name=id value={id}><button>x</button></form>'
        page = self.i.directory / "evil.html"
        page.write_text(form)
        driver.get(f"file://{page}")
        driver.find_element(By.TAG_NAME, "button").click()
        self.until(lambda: "did not come from a page of this console" in driver.page_source, "the refusal")
        self.assertEqual(self.states(), ["deferred"])

    def test_pages_renew_themselves_but_not_what_is_marked(self):
        self.started()
        (first,) = self.waiting()
        driver = self.opened()
        self.log_in()
        self.go("/queue")
        self.waiting()
        self.until(lambda: "2 messages" in self.text(), "a page that has renewed itself")
        box = [box for box in driver.find_elements(By.NAME, "id") if box.get_attribute("value") == first][0]
        box.click()
        self.waiting()
        end = time.monotonic() + 6
        self.until(lambda: time.monotonic() > end, "a renewal that does not come")
        self.assertTrue(box.is_selected())

    def test_a_phone_and_a_keyboard(self):
        self.started(smtpd="listener", rcpthosts="mail.test")
        self.load(8)
        driver = self.opened(PHONE)
        self.log_in()
        self.until(lambda: driver.title == "Now - relais", "the first page")
        for path in PLACES:
            self.go(path)
            width, wide = driver.execute_script("return [document.documentElement.clientWidth, document.documentElement.scrollWidth]")
            self.assertLessEqual(wide, width, path)
            for field in driver.find_elements(By.CSS_SELECTOR, "input:not([type=hidden]), select"):
                named = field.get_attribute("aria-label") or driver.execute_script("return arguments[0].labels.length", field)
                self.assertTrue(named, field.get_attribute("outerHTML"))
        self.go("/queue")
        driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
        self.assertEqual(driver.switch_to.active_element.text, "To the content")


@unittest.skipUnless(os.environ.get("RELAIS_PICTURES"), "make console-pictures")
class Pictures(Browsing):
    def test_pictures(self):
        place = pathlib.Path(os.environ["RELAIS_PICTURES"])
        place.mkdir(exist_ok=True)
        self.started(smtpd="listener", rcpthosts="mail.test")
        self.bob.write(".qmail-later", "|echo The disk of this mailbox is full.; exit 111\n")
        self.load(60)
        for name, path, size, dark in (("console-now", "/", DESK, False), ("console-queue", "/queue", DESK, True), ("console-phone", "/", PHONE, True)):
            driver = self.opened(size, dark=dark)
            self.log_in()
            self.until(lambda: driver.title == "Now - relais", "the first page")
            self.go(path)
            if path == "/":
                driver.execute_script("document.querySelector('.cards').scrollIntoView()")
            driver.save_screenshot(str(place / f"{name}.png"))


if __name__ == "__main__":
    relais.main()
