"""A matrix of chains: every kind of message, by every way in, to next servers with and without each extension. What arrives
compares octet by octet behind our trace fields, and what does not is returned with the status of a rule. The rules stand here
(`Chain.refused`, `Chain.returned`, `Server.mail`), read off the RFCs and the manual pages.

One message of a kind and a way has a recipient at each server. Its sender is its name, so servers and bounces say which it is."""

import email
import random
import re
import types

from harness import relais
from harness.fake_smtp import FakeServer
from qmtp_test import package

LIMIT = 20000  # of the server that has one
BY = 86400
HEADER = b"Date: 1 Nov 2026 10:00:00 -0000\nMessage-ID: <matrix@mail.test>\nFrom: bob@mail.test\nTo: ann@far.test\nSubject: %s\n\n"
OFFERS = {
    "helo": None,
    "plain": (),
    "eight": ("8BITMIME",),
    "utf8": ("8BITMIME", "SMTPUTF8"),
    "chunking": ("CHUNKING", "8BITMIME", "BINARYMIME"),
    "pipelining": ("PIPELINING",),
    "size": (f"SIZE {LIMIT}",),
    "dsn": ("DSN",),
    "all": ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "SIZE 10000000", "ENHANCEDSTATUSCODES", "DELIVERBY",
            "MT-PRIORITY", "LIMITS RCPTMAX=100"),
    "lmtp": ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"),
    "lmtpall": ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "SIZE", "DELIVERBY"),
}
ASCII_SPELLING = {"bücher.test": "xn--bcher-kva.test"}


class Kind:
    """A message as a file has it. word: MAIL says SMTPUTF8. local, sender: letters of the recipient's and the sender's local part.
    dsn: whether reports are asked for. by, priority: parameters of MAIL. injectable: qmail-inject leaves it as it is."""

    def __init__(self, body=b"hello\n", header=HEADER % b"hello", word=False, local="ann", sender="a", domain="test", dsn=False, by="",
                 priority="", injectable=True):
        self.text = header + body
        self.header, self.word, self.local, self.sender, self.domain = header, word, local, sender, domain
        self.dsn, self.by, self.priority, self.injectable = dsn, by, priority, injectable
        # What only SMTP can ask for.
        self.asks = dsn or by != "" or priority != ""
        self.wire = re.sub(b"\r\n|\r|\n", b"\r\n", self.text)
        self.bare = b"\r" in self.text
        self.unended = self.text != b"" and not self.text.endswith((b"\r", b"\n"))
        self.wire += b"\r\n" * self.unended


OCTETS = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
UTF8_HEADER = HEADER % "grüße".encode()
KINDS = {
    "ascii": Kind(),
    "eight": Kind(b"gr\xfc\xdfe\n\xff\n"),
    "utf8body": Kind("grüße\n".encode()),
    "utf8header": Kind(header=UTF8_HEADER, word=True),
    "utf8unsaid": Kind(header=UTF8_HEADER),
    "utf8rcpt": Kind(local="jörg", word=True),
    "utf8sender": Kind(sender="ü", word=True),
    "utf8domain": Kind(domain="bücher.test", word=True),
    "long": Kind(b"".join(b"%d " % size + b"x" * size + b"\n" for size in (76, 990, 994, 995, 996, 1000, 2047, 9000))),
    "longheader": Kind(header=b"X-Long: " + b"y" * 3000 + b"\n" + HEADER % b"x"),
    "binary": Kind(OCTETS + b"\n" + OCTETS[::-1] + b"\n" + b"".join(bytes([octet]) + b"\n" for octet in OCTETS)),
    "nul": Kind(b"\0\n\0.\n\0\0.\nx\0\n.\0\n" + b"\0" * 5000 + b".\n"),
    "dots": Kind(b".\n..\n...\n.x\n..x\nx.\n.\n\n.\n.\nRSET\n.\nQUIT\n.\n"),
    "dotfirst": Kind(b".\n.", b"", injectable=False),
    "empty": Kind(b"", b"", injectable=False),
    "blanks": Kind(b"\n\n \n\t\n\n"),
    "unended": Kind(b"the last line"),
    "unendeddot": Kind(b"a dot\n."),
    "unendednul": Kind(b"no letters\n\0"),
    "returns": Kind(b"a\rb\r\nc\n\rd\r\r\ne\n\r.\r\r\n.\r\n"),
    "large": Kind(b"0123456789abcdef0123456789abcdef0123456789abcdef.\n" * 6000),
    "latinheader": Kind(header=HEADER % b"gr\xfc\xdfe"),
    "bodyonly": Kind("grüße\n".encode(), b"\n", word=True, injectable=False),
    "headeronly": Kind(b"", b"Subject: no body", injectable=False),
    "dsn": Kind(dsn=True),
    "byreturn": Kind(by=f" BY={BY};R"),
    "bynotify": Kind(by=f" BY={BY};N"),
    "priority": Kind(priority=" MT-PRIORITY=-3"),
}


class Server:
    """One next server, and what it has had: transactions as (MAIL, RCPTs, octets with their dots)."""

    def __init__(self, name):
        self.name, self.offers = name, OFFERS[name]
        self.words = [word.split()[0] for word in self.offers or ()]
        self.lmtp = name.startswith("lmtp")
        self.taken, self.broken = [], []
        lines = ["next.test", *(self.offers or ())]
        ehlo = "".join(f"250{' ' if line is lines[-1] else '-'}{line}\r\n" for line in lines).encode()
        no = b"502 what?\r\n"
        self.fake = FakeServer(EHLO=no if self.offers is None or self.lmtp else ehlo, HELO=no if self.lmtp else b"250 next.test\r\n",
                               LHLO=ehlo if self.lmtp else no, MAIL=self.mail_said, RCPT=self.rcpt_said, DATA=self.data_said,
                               dot=self.dot_said, BDAT=self.bdat_said)

    def has(self, word):
        return word in self.words

    def routes(self):
        """Lines of control/smtproutes or lmtproutes."""
        return "".join(f"{self.name}.{domain}:127.0.0.1:{self.fake.port}\n" for domain in ("test", *ASCII_SPELLING))

    def keeps_time(self):
        """Who stores a message on this host delivers it now."""
        return self.lmtp or self.has("DELIVERBY")

    def in_step(self, session, line):
        if session.buffer and not self.has("PIPELINING"):
            self.broken.append(b"spoke on behind " + line)

    def mail_said(self, session, line):
        self.in_step(session, line)
        session.said = (line, [])
        return b"250 ok\r\n"

    def rcpt_said(self, session, line):
        self.in_step(session, line)
        session.said[1].append(line)
        return b"250 ok\r\n"

    def data_said(self, session, line):
        self.in_step(session, line)
        return b"354 go\r\n"

    def bdat_said(self, session, line):
        self.broken.append(line)
        return b"503 no\r\n"

    def dot_said(self, session, _):
        self.taken.append((*session.said, session.messages[-1]))
        return b"250 taken\r\n"


class Chain:
    """A kind by a way."""

    def __init__(self, name, way, kind=None):
        self.name, self.kind, self.way = f"{name}.{way.name}", kind or KINDS[name], way
        self.sender = f"bob-{self.kind.sender}-{self.name}@mail.test"

    def recipient(self, server):
        return f"{self.kind.local}@{server.name}.{self.kind.domain}"

    def word(self):
        return self.kind.word and self.way.smtp

    def refused(self):
        """The code with which the way in refuses it; lines of SMTP end in CR LF."""
        return "554" if self.way.smtp and self.kind.bare else None

    def returned(self, server):
        """The status with which it comes back from a server, which has not been asked for it."""
        if not server.has("SMTPUTF8") and not (self.kind.local + self.sender).isascii():
            return "5.6.7"
        if not server.has("SMTPUTF8") and self.word() and not self.kind.header.isascii():
            return "5.6.7"
        if server.name == "size" and len(self.kind.wire) > LIMIT:
            return "5.3.4"
        return "5.4.7" if self.kind.by.endswith("R") and not server.keeps_time() else None

    def mail(self, server, octets):
        """What MAIL says of these octets."""
        line = f"MAIL FROM:<{self.sender}>"
        if server.has("SIZE"):
            line += f" SIZE={len(octets)}"
        if server.has("8BITMIME") and not octets.isascii():
            line += " BODY=8BITMIME"
        beyond = not (self.recipient(server) + self.sender).isascii() or (self.word() and not self.kind.header.isascii())
        if server.has("SMTPUTF8") and beyond:
            line += " SMTPUTF8"
        line += self.kind.by * server.has("DELIVERBY") + self.kind.priority * server.has("MT-PRIORITY")
        return line + " RET=HDRS ENVID=M+2B1" * (self.kind.dsn and server.has("DSN"))

    def rcpt(self, server):
        recipient = self.recipient(server)
        if not server.has("SMTPUTF8"):
            for unicode, ascii in ASCII_SPELLING.items():
                recipient = recipient.replace(unicode, ascii)
        dsn = f" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;was@{server.name}.test" * (self.kind.dsn and server.has("DSN"))
        return f"RCPT TO:<{recipient}>{dsn}"

    def reported(self, server):
        """(action, status) that the sender is told of, if any."""
        if status := self.returned(server):
            return "failed", status
        relayed = (self.kind.dsn and not server.has("DSN")) or (self.kind.by and not server.keeps_time())
        return ("relayed", "2.0.0") if relayed else None


class Way:
    """Sends chains; returns what each hears. taken: how that begins when it is accepted."""

    name, smtp, taken = "", True, "250 ok "

    def takes(self, kind):
        return True

    def send(self, i, chains, servers):
        raise NotImplementedError


class Data(Way):
    name = "data"

    def takes(self, kind):
        return not kind.unended and (not kind.bare or kind.text.endswith(b"\n"))

    def send(self, i, chains, servers):
        with i.smtp() as smtp:
            return [self.one(smtp, chain, servers) for chain in chains]

    def one(self, smtp, chain, servers):
        mail = f"MAIL FROM:<{chain.sender}>" + " SMTPUTF8" * chain.kind.word + " RET=HDRS ENVID=M+2B1" * chain.kind.dsn
        smtp.command(mail + chain.kind.by + chain.kind.priority + " BODY=8BITMIME" * (not chain.kind.text.isascii()))
        for server in servers:
            dsn = f" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;was@{server.name}.test" * chain.kind.dsn
            smtp.command(f"RCPT TO:<{chain.recipient(server)}>{dsn}")
        return self.text(smtp, chain.kind)

    def text(self, smtp, kind):
        smtp.command("DATA", 354)
        wire = kind.text if kind.bare else kind.wire
        smtp.raw((b"\r\n" + wire).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        return str(smtp.expect(None))


class OneChunk(Data):
    name = "bdat"

    def takes(self, kind):
        return True

    def chunks(self, octets):
        return [octets]

    def text(self, smtp, kind):
        wire = kind.text if kind.bare else kind.wire
        chunks = self.chunks(wire[:-2] if kind.unended and not kind.bare else wire)
        for chunk in chunks[:-1]:
            smtp.raw(b"BDAT %d\r\n" % len(chunk) + chunk)
            if smtp.expect((250, 554)).code == 554:
                return "554"
        smtp.raw(b"BDAT %d LAST\r\n" % len(chunks[-1]) + chunks[-1])
        return str(smtp.expect(None))


class ManyChunks(OneChunk):
    name = "bdats"

    def chunks(self, octets):
        """In ever larger pieces, whose ends fall between CR and LF and around dots; an empty one is the last."""
        found, size = [], 1
        while octets:
            found.append(octets[:size])
            octets = octets[size:]
            size += 1 + size // 8
        return [*found, b""]


class Qmtp(Way):
    """Lines as files have them."""

    name, smtp, taken, first = "qmtp", False, "Kok ", b"\n"

    def form(self, kind):
        return kind.text

    def takes(self, kind):
        return not kind.asks

    def send(self, i, chains, servers):
        packages = b"".join(package(self.first + self.form(chain.kind), chain.sender, *map(chain.recipient, servers)) for chain in chains)
        uid, gid = i.ids("qmaild")
        done = i.run("qmail-qmtpd", input=packages, env={"PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1", "RELAYCLIENT": ""},
                     user=types.SimpleNamespace(uid=uid, gid=gid))
        answers = re.findall(r"\d+:([KZD][^,]*),", done.out)
        assert len(answers) == len(chains) * len(servers), done
        each = len(servers)
        return [min(answers[n:n + each], key=lambda answer: answer[0] == "K") for n in range(0, len(answers), each)]


class QmtpReturns(Qmtp):
    """Lines as the net has them."""

    name, first = "qmtpcr", b"\r"

    def form(self, kind):
        return kind.wire[:-2] if kind.unended else kind.wire

    def takes(self, kind):
        return not kind.asks and not kind.bare


class Inject(Way):
    name, smtp, taken, program = "inject", False, "0", ("qmail-inject", "-a")

    def takes(self, kind):
        return kind.injectable and not kind.asks

    def send(self, i, chains, servers):
        return [str(i.run(*self.program, "-f", chain.sender, "--", *map(chain.recipient, servers), input=chain.kind.text).code)
                for chain in chains]


class Sendmail(Inject):
    name, program = "sendmail", ("sendmail", "-i")


WAYS = (Data(), OneChunk(), ManyChunks(), Qmtp(), QmtpReturns(), Inject(), Sendmail())


def unstuffed(data):
    return (b"\r\n" + data).replace(b"\r\n.", b"\r\n")[2:]


def reports(message):
    """(whose, {recipient: (action, status)}) of a report by RFC 3464 or 6533."""
    text = message.decode("utf-8", "replace")
    found = re.findall(r"^Final-Recipient: (?:rfc822|utf-8); (.*)\nAction: (.*)\nStatus: (.*)$", text, re.M)
    return re.search(r"^Delivered-To: (.*)$", text, re.M)[1], {recipient: (action, status) for recipient, action, status in found}


class Matrix(relais.TestCase):
    def setUp(self):
        self.servers = [Server(name) for name in OFFERS]
        routes = {False: "", True: ""}
        for server in self.servers:
            self.addCleanup(server.fake.stop)
            routes[server.lmtp] += server.routes()
        self.i = self.instance(control={
            "smtproutes": routes[False], "lmtproutes": routes[True], "chunking": "1", "smtputf8": "1", "deliverby": "1",
            "mtpriority": "1", "dsnfrom": "192.0.2.0/24", "bounceformat": "both", "bouncemaxbytes": "2000"})
        self.bob = self.i.add_user("bob")
        self.bob.write(".qmail-default", "./Maildir/\n")
        self.i.rules(':allow,RELAYCLIENT=""\n')
        self.i.start()

    def sent(self, chains):
        """Those that are taken, once all of them have gone or come back."""
        taken = []
        for way in WAYS:
            own = [chain for chain in chains if chain.way is way]
            for chain, heard in zip(own, way.send(self.i, own, self.servers), strict=True):
                with self.subTest(chain.name):
                    self.assertTrue(heard.startswith(chain.refused() or way.taken), heard)
                    if not chain.refused():
                        taken.append(chain)
        self.i.wait_empty(120)
        return taken

    def told(self):
        """What senders have heard: {sender: {recipient: (action, status)}}; of nothing twice."""
        heard = {}
        for message in self.bob.messages():
            sender, found = reports(message)
            self.assertTrue(found, message)
            before = heard.setdefault(sender, {})
            self.assertFalse(before.keys() & found.keys(), message)
            before.update(found)
        return heard

    def arrived(self, chain, server, said, data):
        """One transaction was as it must be."""
        mail, rcpts, octets = said[0].decode(), [rcpt.decode() for rcpt in said[1]], unstuffed(data)
        if left := re.search(r"(?<= BY=)\d+", mail):
            self.assertTrue(0 < int(left[0]) <= BY, mail)
            mail = mail[:left.start()] + str(BY) + mail[left.end():]
        self.assertEqual((mail, rcpts), (chain.mail(server, octets), [chain.rcpt(server)]))
        self.assertNotRegex(data, rb"(?<!\r)\n|\r(?!\n)")
        trace = octets.removesuffix(chain.kind.wire)
        self.assertEqual(octets, trace + chain.kind.wire)
        self.assertRegex(trace, rb"\A(Received: [^\r]*\r\n([ \t][^\r]*\r\n)*){1,2}\Z")

    def check(self, chains):
        told = self.told()
        for server in self.servers:
            self.assertEqual(server.broken, [], server.name)
            taken = {}
            for mail, rcpts, data in server.taken:
                taken.setdefault(re.search(rb"<(.*?)>", mail)[1].decode(), []).append((mail, rcpts, data))
            for chain in chains:
                with self.subTest(chain.name, server=server.name):
                    mine = taken.pop(chain.sender, [])
                    self.assertEqual(len(mine), 0 if chain.returned(server) else 1)
                    for mail, rcpts, data in mine:
                        self.arrived(chain, server, (mail, rcpts), data)
                    self.assertEqual(told.get(chain.sender, {}).pop(chain.recipient(server), None), chain.reported(server))
            self.assertEqual(taken, {}, server.name)
        self.assertEqual([sender for sender, left in told.items() if left], [])

    def test_every_kind_by_every_way_to_every_server(self):
        chains = [Chain(kind, way) for way in WAYS for kind in KINDS if way.takes(KINDS[kind])]
        self.check(self.sent(chains))

    def test_nothing_in_a_text_ends_it(self):
        """Texts of all that has ever been taken for the end of a line, of a message or of a string, without an order."""
        random_texts = random.Random(17)
        parts = [b"\r", b"\n", b"\r\n", b".", b"..", b"\0", b"\0.", b".\r\n", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b" ", b"QUIT", b"\x1a",
                 b"\x85", b"\xe2\x80\xa8", b"\xff", b"\x80" * 70, b"x" * 4095]
        kinds = [Kind(b"".join(random_texts.choices(parts, k=random_texts.randrange(1, 60)))) for _ in range(40)]
        chains = [Chain(f"text{number}", way, kind) for way in WAYS[2:4] for number, kind in enumerate(kinds) if way.takes(kind)]
        self.servers = [server for server in self.servers if server.name in ("helo", "all", "lmtp")]
        self.check(self.sent(chains))

    def report_of(self, octets):
        """The message as a file has it, from a bounce, each entity of which says that it has 8-bit octets where it has."""
        lines = octets.replace(b"\r\n", b"\n")
        report = email.message_from_bytes(lines)
        self.assertEqual((report.get_content_type(), report.defects), ("multipart/report", []))
        self.assertTrue(lines.partition(b"\n\n")[0].isascii(), lines[:600])
        words, status, copy = report.get_payload()
        for entity in (report, words, status, copy):
            self.assertTrue(entity["Content-Transfer-Encoding"] == "8bit" or entity.as_bytes().isascii(), entity.items())
        self.assertEqual(re.findall(rb"^Status: (.*)$", lines, re.M), [b"5.1.1"])
        boundary = report.get_boundary().encode()
        last, after = lines.rpartition(b"\n--" + boundary + b"\n")[2], b"\n--" + boundary + b"--\n"
        self.assertRegex(last, rb"\AContent-Type: message/(rfc822|global)\nContent-Transfer-Encoding: 8bit\n\nReturn-Path: <[^>]*>\n")
        self.assertTrue(last.endswith(after), last[-100:])
        return last.removesuffix(after)

    def test_a_bounce_of_each_kind_goes_to_every_server(self):
        self.i.control("bouncemaxbytes", None)
        wanted = {}
        with self.i.smtp() as smtp:
            for server in self.servers:
                for name, kind in KINDS.items():
                    if (kind.sender + kind.local).isascii() and not kind.bare:
                        sender = f"{name}@{server.name}.{kind.domain}"
                        wanted[server.name, name] = kind
                        smtp.command(f"MAIL FROM:<{sender}>" + " SMTPUTF8" * kind.word)
                        smtp.command("RCPT TO:<nobody@mail.test>")
                        WAYS[1].text(smtp, kind)
        self.i.wait_empty(120)
        for server in self.servers:
            for mail, (rcpt,), data in server.taken:
                name, _, domain = re.search(rb"<(.*)>", rcpt)[1].decode().partition("@")
                with self.subTest(name, server=server.name):
                    kind, octets = wanted.pop((server.name, name)), unstuffed(data)
                    utf8 = server.has("SMTPUTF8") and kind.domain != "test"
                    self.assertEqual(mail.decode(), "MAIL FROM:<>" + f" SIZE={len(octets)}" * server.has("SIZE") +
                                     " BODY=8BITMIME" * (server.has("8BITMIME") and not octets.isascii()) + " SMTPUTF8" * utf8)
                    self.assertEqual(domain, f"{server.name}.{kind.domain if utf8 else ASCII_SPELLING.get(kind.domain, kind.domain)}")
                    self.assertTrue(self.report_of(octets).endswith(b"\n" + kind.wire.replace(b"\r\n", b"\n")))
        # What is too large for a server cannot be told there.
        self.assertEqual(list(wanted), [("size", "large")])

    def test_a_user_passes_each_kind_on_to_every_server(self):
        """What a .qmail file forwards keeps its octets, its sender and the word SMTPUTF8."""
        self.i.add_user("carl").write(".qmail", "".join(f"&ann@{server.name}.test\n" for server in self.servers))
        kinds = {name: kind for name, kind in KINDS.items() if kind.local == "ann" and not kind.bare and not kind.asks}
        with self.i.smtp() as smtp:
            for name, kind in kinds.items():
                smtp.command(f"MAIL FROM:<bob-{kind.sender}-{name}@mail.test>" + " SMTPUTF8" * kind.word)
                smtp.command("RCPT TO:<carl@mail.test>")
                self.assertTrue(WAYS[1].text(smtp, kind).startswith("250 "))
        self.i.wait_empty(120)
        told = self.told()
        for server in self.servers:
            taken = {re.search(rb"<(.*?)>", mail)[1].decode(): unstuffed(data) for mail, _, data in server.taken}
            self.assertEqual(len(taken), len(server.taken))
            for name, kind in kinds.items():
                with self.subTest(name, server=server.name):
                    sender = f"bob-{kind.sender}-{name}@mail.test"
                    octets, failed = taken.get(sender), told.get(sender, {}).get(f"ann@{server.name}.test")
                    if kind.word and not server.has("SMTPUTF8") and not (sender + kind.header.decode("latin-1")).isascii():
                        self.assertEqual((octets, failed), (None, ("failed", "5.6.7")))
                    elif server.name == "size" and len(kind.wire) > LIMIT:
                        self.assertEqual((octets, failed), (None, ("failed", "5.3.4")))
                    else:
                        self.assertEqual(failed, None)
                        self.assertTrue(octets.endswith(b"\r\n" + kind.wire), octets[-300:])

    def test_8_bit_comes_back_where_strict8bit_says_so(self):
        self.i.control("strict8bit", "1")
        chain = Chain("eight", WAYS[0])
        self.sent([chain])
        strict = [server for server in self.servers if not server.has("8BITMIME")]
        self.assertEqual(self.told(), {chain.sender: {chain.recipient(server): ("failed", "5.6.3") for server in strict}})
        self.assertEqual([len(server.taken) for server in self.servers], [int(server not in strict) for server in self.servers])


if __name__ == "__main__":
    relais.main()
