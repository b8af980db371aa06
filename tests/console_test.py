"""The console in the browser: logins, what each page shows and each act does, and everything hostile."""

import concurrent.futures
import contextlib
import html
import http.client
import os
import pathlib
import re
import signal
import socket
import time
import unittest
import urllib.parse

from harness import relais

PASSWORD = "correct horse battery"
EVIL = "<script>alert(1)</script>"


class Browser:
    """One operator's browser: it keeps the cookie."""

    def __init__(self, port, host=None):
        self.port, self.host = port, f"127.0.0.1:{port}" if host is None else host
        self.cookie = None

    def request(self, method, path, fields=None, header=None, body=None):
        """(status, header fields, text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        named = {"Host": self.host}
        if self.cookie:
            named["Cookie"] = f"x=y; relais-console={self.cookie}"
        if method == "POST":
            named |= {"Origin": f"http://{self.host}", "Content-Type": "application/x-www-form-urlencoded"}
            body = urllib.parse.urlencode(fields or {}, doseq=True) if body is None else body
        named |= header or {}
        named = {name: value for name, value in named.items() if value is not None}
        with contextlib.closing(connection):
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            text = answer.read().decode()
            if (cookie := answer.getheader("Set-Cookie")) is not None:
                self.cookie = re.match(r"relais-console=([0-9a-f]*);", cookie)[1] or None
                self.set_cookie = cookie
            return answer.status, answer.headers, text

    def get(self, path, code=200, **options):
        status, _, text = self.request("GET", path, **options)
        assert status == code, (path, status, text)
        return text

    def post(self, path, fields, code=200, **options):
        status, _, text = self.request("POST", path, fields, **options)
        assert status == code, (path, status, text)
        return text

    def log_in(self, name, password=PASSWORD, code=303):
        return self.post("/login", {"name": name, "password": password}, code)

    def token(self):
        return re.search(r'name="token" value="([0-9a-f]+)"', self.get("/who"))[1]


class Console(relais.TestCase):
    def started(self, smtpd=None, **control):
        self.port = relais.free_port()
        self.i = i = self.instance(control={"consoleaddress": f"127.0.0.1:{self.port}", "keeptrace": "14 1G", **control})
        for name, options in (("anna", ()), ("rita", ("--read-only",))):
            done = i.run("qmail-console", "--passwd", name, *options, input=(PASSWORD + "\n").encode())
            self.assertEqual(done.code, 0, done)
        self.bob = i.add_user("bob")
        self.bob.write(".qmail-later", "|exit 111\n")
        self.bob.write(".qmail-default", "|exit 111\n")
        i.start(smtpd=smtpd)
        i.wait_for(self.listens, 60, "the console")
        return i

    def listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False

    def browser(self, name="anna", **options):
        browser = Browser(self.port, **options)
        if name:
            browser.log_in(name)
        return browser

    def waiting(self, count=1, sender="a@b.example", recipient="bob-later@mail.test"):
        """Messages that wait for their next try; their ids, oldest first."""
        for _ in range(count):
            self.assertEqual(self.i.submit(sender, [recipient]), 0)
        self.i.wait_for(lambda: '"tries":' in (text := self.i.run("queue-list", "--json").out) and '"tries":0' not in text,
                        60, "first tries")
        return sorted(re.findall(r'"id":"(\d+)"', self.i.run("queue-list", "--json").out))

    def states(self):
        return re.findall(r'"age":\d+,"state":"(\w+)"', self.i.run("queue-list", "--json").out)

    def halves(self):
        """The half with rights, and the one that speaks with browsers."""
        return sorted(self.i.processes("qmail-console"), key=lambda p: p.pid)[:2]

    def test_who_may_come_in(self):
        i = self.started()
        stranger = Browser(self.port)
        for path in ("/", "/queue", "/message?id=1", "/destinations", "/people", "/refusals", "/who", "/settings"):
            status, header, text = stranger.request("GET", path)
            self.assertEqual((status, header["Location"], text), (303, "/login", ""), path)
        self.assertIn("Log in", stranger.get("/login"))
        anna = self.browser()
        self.assertIn("HttpOnly; SameSite=Strict", anna.set_cookie)
        self.assertNotIn("Secure", anna.set_cookie)
        behind = Browser(self.port)
        behind.request("POST", "/login", {"name": "anna", "password": PASSWORD}, {"Origin": f"https://127.0.0.1:{self.port}"})
        self.assertIn("; Secure", behind.set_cookie, "a proxy before us speaks TLS")
        self.assertIn("Path=/", anna.set_cookie)
        self.assertRegex(anna.cookie, "^[0-9a-f]{32}$")
        page = anna.get("/")
        self.assertIn("<title>Now - relais</title>", page)
        self.assertIn("anna <small>operator</small>", page)
        # Another one does not end the first; a log-out ends its own.
        other = self.browser()
        self.assertNotEqual(anna.cookie, other.cookie)
        old = other.cookie
        other.post("/logout", {"token": other.token()}, 303)
        other.cookie = old
        self.assertEqual(other.request("GET", "/")[0], 303)
        anna.get("/")
        # Who is taken out is out at once, and so is who has a new password.
        i.run("qmail-console", "--passwd", "anna", input=b"another one\n")
        self.assertEqual(anna.request("GET", "/")[0], 303)
        rita = self.browser("rita")
        self.assertEqual(i.run("qmail-console", "--delete", "rita").code, 0)
        self.assertEqual(rita.request("GET", "/")[0], 303)
        self.assertEqual(i.run("qmail-console", "--list").out, "anna: operator\n")
        mode = (i.home / "users/operators").stat().st_mode & 0o777
        self.assertEqual(mode, 0o600)
        i.wait_log("login anna as operator")
        self.assertNotIn(PASSWORD, "\n".join(i.log("send")))

    def test_who_guesses_an_operators_password_locks_nobody_else_out(self):
        i = self.started(consolehosts="mail.example.org forwarded")

        def try_from(address, name="anna", password="guess"):
            return Browser(self.port, "mail.example.org").request("POST", "/login", {"name": name, "password": password},
                                                                  {"X-Forwarded-For": f"203.0.113.99, {address}"})
        # From where she has logged in she is known from then on.
        self.assertEqual(try_from("192.0.2.1", password=PASSWORD)[0], 303)
        with contextlib.ExitStack() as stack:
            for number in range(9):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
                form = f"name=anna&password=guess-{number}".encode()
                client.sendall(b"POST /login HTTP/1.1\r\nHost: mail.example.org\r\nOrigin: http://mail.example.org\r\n"
                               b"X-Forwarded-For: 198.51.100.7\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                               b"Content-Length: %d\r\n\r\n%s" % (len(form), form))
                if number == 0:
                    first = client
            i.wait_log("login anna from 198.51.100.7: too many wrong passwords, not looked at")
            # Others of his wait in line; she does not.
            self.assertEqual(try_from("192.0.2.1", password=PASSWORD)[0], 303)
            self.assertLess(len(re.findall("wrong login anna", "\n".join(i.log("send")))), 8)
            self.assertIn(b"wrong name or password", first.makefile("rb").read())
        i.wait_log("wrong login anna from 198.51.100.7: failure 3 of this account there, answer in 4 s")
        # A mail password is no operator's.
        i.run("qmail-passwd", "set", "bob", input=(PASSWORD + "\n").encode())
        self.assertIn("wrong name or password", Browser(self.port).log_in("bob@mail.test", PASSWORD, 403))

    def test_sessions_can_be_ended(self):
        i = self.started()
        once = Browser(self.port)
        once.post("/login", {"once": i.run("qmail-console", "--once").out.strip().rpartition("=")[2]}, 303)
        anna, other, rita = self.browser(), self.browser(), self.browser("rita")
        self.assertEqual(i.run("qmail-console", "--log-out", "once").out, "once is logged out\n")
        misspelt = i.run("qmail-console", "--log-out", "ana")
        self.assertEqual((misspelt.code, misspelt.out), (1, ""))
        self.assertIn("there is no operator ana", misspelt.err)
        self.assertEqual(i.run("qmail-console", "--log-out", "rita").code, 0)
        rita = self.browser("rita")
        self.assertEqual([b.request("GET", "/who")[0] for b in (once, anna, other, rita)], [303, 200, 200, 200])
        # In a browser: this one, or all of hers.
        anna.post("/logout", {"token": anna.token(), "where": "everywhere"}, 303)
        self.assertEqual([b.request("GET", "/who")[0] for b in (other, rita)], [303, 200])
        anna = self.browser()
        i.run("qmail-console", "--log-out")
        self.assertEqual([b.request("GET", "/who")[0] for b in (anna, rita)], [303, 303])
        self.assertEqual(self.browser().request("GET", "/who")[0], 200)

    def test_a_flood_of_one_client_is_told_so_and_no_other(self):
        self.started(consolehosts="mail.example.org forwarded\nold.example.org")

        def flood(host, address):
            with concurrent.futures.ThreadPoolExecutor(10) as pool:
                return list(pool.map(lambda number: Browser(self.port, host).request(
                    "GET", "/style.css", header={"X-Forwarded-For": address % number})[0], range(200)))
        for what, host, address in (("of one client", "mail.example.org", "198.51.100.1%.0s"),
                                    ("of a /64", "mail.example.org", "2001:db8::%d"),
                                    # What a proxy hands on that is not known to set it makes nobody another client.
                                    ("by a proxy that sets no field", "old.example.org", "203.0.113.%d")):
            self.i.wait_for(lambda: 429 in flood(host, address), 60, "the end of a flood " + what)
        for number in range(20):
            self.assertEqual(Browser(self.port, "mail.example.org").request(
                "GET", "/style.css", header={"X-Forwarded-For": f"198.51.100.{2 + number}"})[0], 200)

    @unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
    def test_a_look_is_a_program_of_its_own_in_its_cage(self):
        i = self.started()
        self.waiting(1)
        anna = self.browser()
        seen = {}

        def look():
            self.assertEqual(anna.request("GET", "/queue")[0], 200)

        def look_and_see():
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                asked = pool.submit(look)
                while not asked.done():
                    for process in i.processes("qmail-console"):
                        with contextlib.suppress(OSError, KeyError):
                            words = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
                            # Both at the same time: it was root when it began.
                            status = process.status()
                            if b"--look" in words and status["Seccomp"] == "2":
                                seen[process.pid] = set(map(int, status["Uid"].split()))
                asked.result()
            return seen
        i.wait_for(look_and_see if relais.CONFINED else lambda: True, 60, "a look")
        self.assertLessEqual(set().union(*seen.values()), {i.ids("qmails")[0]})

    def test_a_login_for_once(self):
        i = self.started()
        address = i.run("qmail-console", "--once").out.strip()
        self.assertTrue(address.startswith(f"http://127.0.0.1:{self.port}/login?once="), address)
        secret = address.rpartition("=")[2]
        browser = Browser(self.port)
        self.assertIn(secret, browser.get("/login?once=" + secret))
        self.assertIsNone(browser.cookie)  # looking is no login
        browser.post("/login", {"once": secret}, 303)
        self.assertIn("once <small>operator</small>", browser.get("/"))
        self.assertIn("was used, or is too old", Browser(self.port).post("/login", {"once": secret}, 403))

    def test_the_queue_and_its_acts(self):
        self.started()
        ids = self.waiting(3)
        anna = self.browser()
        page = anna.get("/queue")
        self.assertIn("By destination and reason", page)
        for id in ids:
            self.assertIn(f'value="{id}"', page)
        self.assertIn("3 messages", page)
        token = anna.token()
        page = anna.post("/queue/act", {"token": token, "act": "hold", "on": "marked", "id": ids[:2]})
        self.assertIn("hold: 2 of 2 done", page)
        self.assertEqual(sorted(self.states()), ["deferred", "held", "held"])
        self.assertNotIn(ids[2], anna.get("/queue?state=held"))
        anna.post("/queue/act", {"token": token, "act": "release", "id": ids[0]})
        self.assertEqual(sorted(self.states()), ["deferred", "deferred", "held"])
        # What destroys is shown before it is done.
        page = anna.post("/queue/act", {"token": token, "act": "delete", "id": ids[1]})
        self.assertIn("delete 1 message", page)
        self.assertIn("bob-later@mail.test", page)
        self.assertEqual(len(self.states()), 3)
        anna.post("/queue/act", {"token": token, "act": "delete", "id": ids[1], "confirmed": "1"})
        self.assertEqual(len(self.states()), 2)
        # And so is what is done to all that match.
        page = anna.post("/queue/act", {"token": token, "act": "bounce", "on": "all", "recipient": "bob-later@*"})
        self.assertIn("bounce 2 messages", page)
        found = re.findall(r'name="id" value="(\d+)"', page)
        self.assertEqual(sorted(found), [ids[0], ids[2]])
        anna.post("/queue/act", {"token": token, "act": "bounce", "id": found, "confirmed": "1"})
        self.i.wait_for(lambda: not set(found) & set(re.findall(r'"id":"(\d+)"', self.i.run("queue-list", "--json").out)), 60, "bounces")
        self.assertIn("Mark messages first", anna.post("/queue/act", {"token": token, "act": "hold"}, 400))
        self.assertIn("there is no such message", anna.post("/queue/act", {"token": token, "act": "retry", "id": "1"}))
        self.i.wait_log(f"anna: delete {ids[1]}")

    def test_who_may_only_look(self):
        self.started()
        (id,) = self.waiting()
        rita = self.browser("rita")
        page = rita.get("/queue")
        self.assertIn(id, page)
        self.assertNotIn("/queue/act", page)
        for fields in ({"act": "delete", "id": id, "confirmed": "1"}, {"act": "hold", "id": id}, {"act": "hold", "on": "all"}):
            self.assertIn("may look, and change nothing", rita.post("/queue/act", {"token": rita.token(), **fields}, 403))
        self.assertEqual(self.states(), ["deferred"])

    def test_a_page_of_somebody_elses_changes_nothing(self):
        self.started()
        (id,) = self.waiting()
        anna = self.browser()
        token = anna.token()
        act = {"token": token, "act": "hold", "id": id}
        for header in ({"Origin": "http://evil.example"}, {"Origin": None}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                       {"Origin": f"http://localhost:{self.port}"}, {"Origin": f"http://127.0.0.1:{self.port}.evil.example"}):
            anna.post("/queue/act", act, 403, header=header)
            Browser(self.port).post("/login", {"name": "anna", "password": PASSWORD}, 403, header=header)
        for wrong in ({"token": ""}, {"token": token[:-1]}, {"token": self.browser().token()}, {"token": self.browser("rita").token()}):
            self.assertIn("was not made for you here", anna.post("/queue/act", {**act, **wrong}, 403))
        # GET changes nothing either, nor does another kind of body.
        self.assertEqual(anna.request("GET", f"/queue/act?token={token}&act=hold&id={id}")[0], 404)
        anna.post("/queue/act", None, 400, body=f"token={token}&act=hold&id={id}", header={"Content-Type": "text/plain"})
        self.assertEqual(anna.request("POST", "/logout", {"token": "x"})[0], 403)
        self.assertEqual(self.states(), ["deferred"])
        anna.post("/queue/act", act)
        self.assertEqual(self.states(), ["held"])

    def test_what_a_browser_is_told(self):
        self.started()
        _, header, _ = self.browser().request("GET", "/")
        self.assertIn("default-src 'none'", header["Content-Security-Policy"])
        self.assertIn("frame-ancestors 'none'", header["Content-Security-Policy"])
        self.assertNotIn("unsafe", header["Content-Security-Policy"])
        self.assertEqual((header["X-Frame-Options"], header["X-Content-Type-Options"], header["Cache-Control"]), ("DENY", "nosniff", "no-store"))
        stranger = Browser(self.port)
        for path, kind in (("/style.css", "text/css"), ("/live.js", "text/javascript")):
            status, header, text = stranger.request("GET", path)
            self.assertEqual((status, header["Content-Type"].partition(";")[0]), (200, kind))
            self.assertNotRegex(text, "https?://")

    def test_only_the_names_that_are_listed(self):
        self.started(consolehosts="mail.example.org\nOther.Example:8025\n")
        for host in (f"127.0.0.1:{self.port}", f"localhost:{self.port}", "mail.example.org", "other.example:8025", "OTHER.example:8025"):
            self.assertIn("Log in", Browser(self.port, host).get("/login"))
        for host in ("evil.example", "mail.example.org:1", "", "127.0.0.1", f"mail.example.org.:{self.port}"):
            self.assertEqual(Browser(self.port, host).request("GET", "/login")[0], 421, host)
            self.assertEqual(Browser(self.port, host).request("POST", "/login", {"name": "anna", "password": PASSWORD})[0], 421, host)

    def test_script_is_shown_and_not_run(self):
        i = self.started(smtpd="listener", rcpthosts="mail.test")
        sender = f'"{EVIL}"@b.example'
        (id,) = self.waiting(sender=sender, recipient='bob-"<img src=x onerror=alert(1)>"@mail.test')
        with i.smtp() as client:
            client.command(f"MAIL FROM:<{sender}>")
            client.command('RCPT TO:<"<script>x</script>"@elsewhere.example>', 553)
        anna = self.browser()
        i.wait_for(lambda: "elsewhere.example" in anna.get("/refusals"), 60, "the refusal")
        for path in ("/", "/queue", f"/message?id={id}", "/refusals", "/destinations", "/people",
                     "/queue?" + urllib.parse.urlencode({"sender": EVIL, "reason": EVIL, "destination": '"><script>'}),
                     "/who?" + urllib.parse.urlencode({"address": EVIL + "@mail.test"}),
                     "/refusals?" + urllib.parse.urlencode({"client": EVIL, "cause": EVIL}), "/login?once=" + urllib.parse.quote('"><script>x</script>')):
            text = anna.get(path)
            self.assertNotIn("<script>", text, path)
            self.assertNotIn("<img", text, path)
        self.assertIn(html.escape(EVIL), anna.get("/queue"))
        self.assertIn(html.escape(EVIL), anna.get(f"/message?id={id}"))

    def test_a_life_and_what_else_there_is_to_see(self):
        i = self.started(smtpd="listener", rcpthosts="mail.test")
        self.bob.write(".qmail-ok", "./Maildir/\n")
        i.send("a@b.example", ["bob-ok@mail.test"], "Subject: x\n\nx\n")
        self.bob.wait_messages(1)
        id = re.search(r"accept msg (\d+)", "\n".join(i.log("smtpd") + i.log("send")))[1]
        anna = self.browser()
        i.wait_for(lambda: "has left the queue" in anna.get(f"/message?id={id}"), 60, "the message's end")
        page = anna.get(f"/message?id={id}")
        self.assertIn("accepted from", page)
        self.assertIn("delivery 1: success", page)
        self.assertIn("It is not in the queue.", page)
        self.assertIn("(local)", anna.get("/destinations"))
        self.assertIn("127.0.0.1", anna.get("/people"))
        self.assertIn("qmail home directory", anna.get("/settings"))
        self.assertIn("may", anna.get("/who?client=192.0.2.7&sender=a@b.example&recipient=bob@mail.test"))
        self.assertIn("Maildir", anna.get("/who?address=bob-ok@mail.test"))
        self.assertIn("is no address", anna.get("/who?client=--audit", 400))
        self.assertIn("cannot be asked", anna.get("/who?address=--help", 400))
        for id in ("x", "", "-1", "1" * 30):
            anna.get(f"/message?id={id}", 400)
        self.assertIn("Nothing is remembered", anna.get("/message?id=17"))

    def test_people_who_may_send_and_who_may_not(self):
        i = self.started(ratelimits="recipients of login 1/1h hold")
        for address in ("192.0.2.9", "2001:db8::9"):
            self.assertEqual(i.run("open-smtp", "add", address, "--user", "ann<b>").code, 0)
        anna, rita = self.browser(), self.browser("rita")
        page = anna.get("/people")
        self.assertIn("192.0.2.9", page)
        self.assertIn("ann&lt;b&gt;", page)
        self.assertIn("No login is held.", page)
        self.assertRegex(page, r"ago, .* left")
        self.assertNotIn("/people/act", rita.get("/people"))
        closing = {"token": anna.token(), "act": "close", "whom": "192.0.2.9"}
        rita.post("/people/act", closing | {"token": rita.token()}, 403)
        anna.post("/people/act", closing | {"token": "0" * 32}, 403)
        for act, whom in (("close", "--user"), ("close", "anna"), ("close", "192.0.2.9/24"), ("open", "192.0.2.9"), ("let", "-x"), ("let", ""), ("hold", "*"),
                          ("hold", "a\nb"), ("hold", "--all")):
            anna.post("/people/act", closing | {"act": act, "whom": whom}, 400)
        self.assertIn("192.0.2.9", i.run("open-smtp", "list").out)
        self.assertIn("1 removed", anna.post("/people/act", closing))
        self.assertNotIn("192.0.2.9", i.run("open-smtp", "list").out)
        self.assertIn("2001:db8::9", anna.get("/people"))
        self.assertIn("it is not held", anna.post("/people/act", closing | {"act": "let", "whom": "bob"}))
        self.assertIn("no message matches", anna.post("/people/act", closing | {"act": "hold", "whom": "bob"}))
        i.wait_log("qmail-console: anna: close 192.0.2.9", "send")
        i.wait_log("qmail-console: anna: let bob", "send")
        i.wait_log("qmail-console: anna: hold bob", "send")

    def test_a_destination_that_backs_off_says_why(self):
        i = self.started(smtproutes=f":127.0.0.1:{relais.free_port()}")
        self.assertEqual(i.submit("a@b.example", ["x@far.example"]), 0)
        anna = self.browser()
        i.wait_for(lambda: "in back-off for" in anna.get("/destinations"), 60, "the back-off")
        self.assertRegex(anna.get("/destinations"), r"Why not now.*far\.example.*in back-off for")
        self.assertIn("in back-off for", self.browser("rita").get("/destinations"))

    def test_floods_slow_readers_and_large_requests_hold_up_nobody(self):
        self.started()
        anna = self.browser()
        with contextlib.ExitStack() as stack:
            for number in range(150):  # more than there are places
                client = stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
                with contextlib.suppress(OSError):
                    client.sendall((b"GET / HT", b"GET /style.css HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % self.port)[number % 2])
            self.i.wait_for(lambda: anna.request("GET", "/who")[0] == 200, 30, "a page beside a flood")
            for octets, codes in ((b"GET / HTTP/1.1\r\nX: " + 10_000_000 * b"x", (b"", b"HTTP/1.1 431 ")),
                                  (b"POST /login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 99999999\r\n\r\n" % self.port, (b"", b"HTTP/1.1 413 ")),
                                  (b"POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (b"", b"HTTP/1.1 400 ")),
                                  (b"\x16\x03\x01\x02\x00\x01", (b"", b"HTTP/1.1 400 ")),
                                  (b"BREW / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % self.port, (b"HTTP/1.1 405 ",))):
                self.assertIn(self.ask(octets)[:13], codes)
        self.i.wait_for(lambda: anna.request("GET", "/who")[0] == 200, 30, "a page after it")

    def ask(self, octets):
        with socket.create_connection(("127.0.0.1", self.port), 30) as client:
            answer = b""
            with contextlib.suppress(ConnectionError):
                client.sendall(octets)
                while piece := client.recv(65536):
                    answer += piece
            return answer

    def listener(self, browser, path="/events"):
        """(the connection, what came first): a browser that wants to hear what changes."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.addCleanup(connection.close)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: relais-console={browser.cookie}\r\n\r\n".encode())
        first = b""
        while b"\r\n\r\n" not in first or (b"event-stream" in first and b"open\n\n" not in first):
            piece = connection.recv(4096)
            if not piece:
                break
            first += piece
        return connection, first.decode()

    def test_pages_hear_when_something_has_changed(self):
        i = self.started()
        anna, stranger = self.browser(), self.browser(None)
        self.assertIn(" 303 ", self.listener(stranger)[1])
        one, first = self.listener(anna)
        self.assertIn(" 200 ", first)
        self.assertIn("Content-Type: text/event-stream\r\n", first)
        self.assertIn("default-src 'none'", first)
        self.assertNotIn("Content-Length", first)
        self.assertEqual(i.submit("a@b.example", ["bob-later@mail.test"]), 0)
        self.assertEqual(one.recv(4096), b"data: changed\n\n")
        # There is room for 16; one more is told so, and has a place when another one has gone.
        others = [self.listener(anna) for _ in range(15)]
        self.assertTrue(all(" 200 " in first for _, first in others))
        self.assertIn(" 503 ", self.listener(anna)[1])
        self.assertIn("What waits most", anna.get("/"))
        others[3][0].close()
        others[4][0].sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while others[4][0].recv(4096):
                pass  # who says more is no listener
        i.wait_for(lambda: " 200 " in self.listener(anna)[1], 30, "a place for a listener")
        self.assertEqual(anna.request("HEAD", "/events")[0], 200)

    def test_too_many_requests_are_told_so(self):
        self.started()
        anna = self.browser()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            codes = set(pool.map(lambda _: anna.request("GET", "/queue")[0], range(60)))
        self.assertLessEqual(codes, {200, 429, 503})
        self.i.wait_for(lambda: anna.request("GET", "/queue")[0] == 200, 30, "a page")

    def test_whichever_half_dies_both_are_started_again(self):
        i = self.started()
        for number in (0, 1):
            before = [p.pid for p in self.halves()]
            os.kill(before[number], signal.SIGKILL)
            i.wait_for(lambda: len(self.halves()) == 2 and not set(before) & {p.pid for p in self.halves()} and self.listens(), 60, "both halves")
            self.assertEqual(self.browser().request("GET", "/")[0], 200)
        i.submit("a@b.example", ["bob@mail.test"])
        self.bob.wait_messages(1)

    def test_without_a_queue_or_what_is_remembered(self):
        i = self.started()
        anna = self.browser()
        (i.home / "queue/mess").rename(i.home / "queue/away")
        self.assertIn("unable to", anna.get("/queue", 500))
        self.assertIn("unable to", anna.get("/"))
        (i.home / "queue/away").rename(i.home / "queue/mess")
        self.assertIn("0 messages", anna.get("/queue"))
        (i.home / "users/operators").write_text("nonsense\n")
        self.assertEqual(anna.request("GET", "/")[0], 303)

    def test_by_the_socket_alone(self):
        """What a proxy speaks to: mode 0600, and any name of control/consolehosts."""
        i = self.instance(control={"consolehosts": "console.example.org"})
        i.start(smtpd=None)
        path = i.home / "sockets/console"
        i.wait_for(path.exists, 60, "the socket")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /login HTTP/1.1\r\nHost: console.example.org\r\n\r\n")
            self.assertTrue(client.recv(1000).startswith(b"HTTP/1.1 200 "))

    def test_an_address_that_is_not_loopback_is_refused(self):
        i = self.instance(control={"consoleaddress": "0.0.0.0:8025"})
        i.start(smtpd=None)
        i.wait_log("warning: control/consoleaddress: not a loopback address with a port")

    @unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
    def test_who_runs_what(self):
        i = self.started()
        # Who answers has given everything up.
        Browser(self.port).get("/login")
        rights, front = self.halves()
        self.assertEqual((rights.uid, front.uid), (0, i.ids("qmailb")[0]))
        status = front.status()
        if relais.CONFINED:
            self.assertEqual(status["Seccomp"], "2")
        tried = i.run("/bin/cat", i.home / "users/operators", user=self.bob)
        self.assertIn("Permission denied", tried.err)

    def test_what_is_wrong_on_the_command_line(self):
        i = self.instance()
        for words in (("--passwd",), ("--passwd", "a:b"), ("--passwd", "-x"), ("--nonsense",), ("--delete",)):
            self.assertEqual(i.run("qmail-console", *words, input=b"secret\n").code, 100, words)
        self.assertEqual(i.run("qmail-console", "--delete", "nobody").code, 1)
        self.assertIn("the password is empty", i.run("qmail-console", "--passwd", "anna", input=b"\n").err)


if __name__ == "__main__":
    relais.main()
