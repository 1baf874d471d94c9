"""Mails digests through aiosmtpd, reads mail and feeds with other programs, and looks at both in Chromium. Called by tests/real/mail."""

import email
import email.policy
import json
import logging
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import warnings

import feedparser
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

paperkin, work, shots = os.path.abspath(sys.argv[1]), sys.argv[2], os.path.abspath(sys.argv[3])
sample = os.path.abspath("data/sample.jsonl")
os.makedirs(shots, exist_ok=True)
# A client that refuses a certificate is no fault of the server, which would tell of it at length.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)
warnings.simplefilter("ignore")
DAY = "2026-08-11"
PASSWORD = "a secret; 'quoted'"


class Box:
    """Keeps what it is handed."""

    def __init__(self):
        self.messages = []

    async def handle_DATA(self, server, session, envelope):
        self.messages.append((bool(session.authenticated), envelope))
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"kin", PASSWORD.encode()), handled=False)


def tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(f"{work}/cert.pem", f"{work}/key.pem")
    return context


class Starttls(Controller):
    def factory(self):
        return SMTP(self.handler, tls_context=tls(), require_starttls=True, auth_required=True, authenticator=login, hostname="localhost")


class Plain(Controller):
    def factory(self):
        return SMTP(self.handler, hostname="localhost")


class Tls(Controller):
    def factory(self):
        return SMTP(self.handler, auth_required=True, auth_require_tls=False, authenticator=login, hostname="localhost")


def run(*args, now=f"{DAY}T08:00:00Z"):
    environment = {"PATH": os.environ["PATH"], "PAPERKIN_LIBRARY": f"{work}/digests", "PAPERKIN_NOW": now}
    return subprocess.run([paperkin, *args], cwd=work, env=environment, capture_output=True, text=True)


def settings(controller, security, user="kin", password=PASSWORD, ca=True):
    with open(f"{work}/password", "w") as file:
        file.write(password + "\n")
    lines = ["[mail]", 'from = "paperkin <kin@example.org>"', f'server = "localhost:{controller.port}"', f'security = "{security}"']
    if user:
        lines += [f'user = "{user}"', 'password_file = "password"']
    if ca:
        lines += ['ca_file = "ca.pem"']
    with open(f"{work}/paperkin.toml", "w") as file:
        file.write("\n".join(lines) + "\n")


def mailed(ran, box, with_login):
    assert ran.returncode == 0, ran
    authenticated, envelope = box.messages.pop()
    assert authenticated == with_login and not box.messages, ran
    assert envelope.rcpt_tos == ["jo@example.org"] and envelope.mail_from == "kin@example.org", envelope
    return envelope.content


def servers():
    """Each way to a server, and each refusal; returns one message as it was received."""
    ask = ("digest", "--date", DAY, "-n", "200", "--email", "Jo Ö <jo@example.org>")
    box = Box()
    port = iter(range(20251, 20351))
    started = [
        kind(box, hostname="127.0.0.1", port=next(port), ready_timeout=10, **more)
        for kind, more in ((Plain, {}), (Starttls, {}), (Tls, {"ssl_context": tls()}))
    ]
    for controller in started:
        controller.start()
    try:
        plain, starttls, with_tls = started
        settings(plain, "none", user=None)
        mailed(run(*ask), box, False)
        settings(starttls, "starttls")
        message = mailed(run(*ask), box, True)
        settings(with_tls, "tls")
        mailed(run(*ask), box, True)
        refusals = [
            ((starttls, "starttls", "kin", "wrong"), "535"),
            ((with_tls, "tls", "kin", "wrong"), "535"),
            ((starttls, "starttls", "kin", PASSWORD, False), "ertificate"),
            ((with_tls, "tls", "kin", PASSWORD, False), "ertificate"),
            # What is to be encrypted is never sent in the open.
            ((plain, "starttls"), "STARTTLS is not supported"),
            ((plain, "tls"), "ssage"),
            ((starttls, "none", None), "STARTTLS"),
        ]
        for arguments, expected in refusals:
            settings(*arguments)
            ran = run(*ask)
            assert ran.returncode == 1 and expected in ran.stderr and not box.messages, (arguments, ran)
            assert PASSWORD not in ran.stderr, ran
        # A subscriber's letter waits for a login that is refused, and then goes out once.
        run("subscribe", "jo@example.org")
        settings(starttls, "starttls", password="wrong")
        waits = run("digest", "--deliver")
        assert waits.returncode == 1 and "waits" in waits.stderr and not box.messages, waits
        settings(starttls, "starttls")
        assert b"List-Id: <default.paperkin.example.org>" in mailed(run("digest", "--deliver"), box, True)
        assert run("digest", "--deliver").returncode == 0 and not box.messages
    finally:
        for controller in started:
            controller.stop()
    print("real: digests go through a mail server, plain, with STARTTLS, TLS and logins, and are not sent where they are refused")
    return message


def in_between():
    """Somebody who answers in the open, together with the answer to STARTTLS, what is asked only in the encrypted connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        stream, _ = listener.accept()
        stream.sendall(b"220 here\r\n")
        stream.recv(1000)
        stream.sendall(b"250-here\r\n250 STARTTLS\r\n")
        stream.recv(1000)
        stream.sendall(b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 in\r\n250 a\r\n250 b\r\n354 go on\r\n250 queued\r\n")
        with tls().wrap_socket(stream, server_side=True) as encrypted:
            while encrypted.recv(1000):
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with open(f"{work}/paperkin.toml", "w") as file:
        file.write(f'[mail]\nfrom = "kin@example.org"\nserver = "localhost:{listener.getsockname()[1]}"\nca_file = "ca.pem"\n')
    ran = run("digest", "--date", DAY, "--email", "jo@example.org")
    assert ran.returncode == 1 and "it answers what was not asked" in ran.stderr, ran
    listener.close()
    print("real: answers that come in the open do not count in the encrypted connection")


def parsed(message):
    """The message, read by Python's email package; returns its HTML."""
    mail = email.message_from_bytes(message, policy=email.policy.default)
    assert not mail.defects and mail.get_content_type() == "multipart/alternative", mail.defects
    assert mail["to"].addresses[0].addr_spec == "jo@example.org" and mail["from"].addresses[0].display_name == "paperkin"
    assert mail["message-id"].endswith("@example.org>") and mail["date"].datetime and mail["auto-submitted"] == "auto-generated"
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert "Attention Is All You Need" in text and "https://arxiv.org/abs/1706.03762" in text, text
    assert max(len(line) for line in message.decode("ascii").splitlines()) <= 998
    print("real: Python's email package reads the mail without a defect")
    return html


def feeds():
    ran = run("digest", "--date", DAY, "--to-atom", "feed.xml", "--to-html", "page.html", "-n", "200")
    assert ran.returncode == 0, ran
    feed = feedparser.parse(f"{work}/feed.xml")
    assert not feed.bozo and feed.version == "atom10" and len(feed.entries) > 100, (feed.bozo, len(feed.entries))
    assert len({entry.id for entry in feed.entries}) == len(feed.entries)
    assert all(entry.title and entry.link.startswith("http") and entry.content[0].value for entry in feed.entries)
    print("real: feedparser reads the Atom feed")
    if shutil.which("ruby") and subprocess.run(["ruby", "-e", 'require "rss"'], capture_output=True).returncode == 0:
        check = 'require "rss"; print RSS::Parser.parse(File.read(ARGV[0]), true).entries.size'
        ruby = subprocess.run(["ruby", "-e", check, f"{work}/feed.xml"], capture_output=True, text=True)
        assert ruby.returncode == 0 and int(ruby.stdout) == len(feed.entries), ruby
        print("real: Ruby's validator finds nothing wrong with the Atom feed")
    else:
        print("skipped: Ruby's validator of feeds could not be installed")


def looks(html):
    chromium = shutil.which("chromium")
    if not chromium:
        print("skipped: mail and page in a browser, as Chromium could not be installed")
        return
    from playwright.sync_api import sync_playwright

    with open(f"{work}/mail.html", "w") as file:
        file.write(html)
    wrong = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name in ("page", "mail"):
            for look, width, scheme in (("light", 900, "light"), ("dark", 900, "dark"), ("narrow", 360, "light")):
                context = browser.new_context(viewport={"width": width, "height": 1100}, color_scheme=scheme, java_script_enabled=look != "dark")
                page = context.new_page()
                page.on("console", lambda message: wrong.append(message.text))
                page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith("file:") else None)
                page.goto(f"file://{work}/{name}.html")
                page.screenshot(path=f"{shots}/{name}-{look}.png")
                if look == "narrow":
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    assert wide <= width, f"{name} is {wide} wide on {width}"
                if (name, look) == ("page", "light"):
                    page.emulate_media(media="print")
                    page.screenshot(path=f"{shots}/page-print.png")
                    assert page.locator("details").first.is_hidden() and page.locator("h2").count() > 2
                context.close()
        browser.close()
    assert not wrong, wrong
    print("real: Chromium shows page and mail, light, dark, narrow and for print, and asks nobody for anything")


with open(sample) as papers, open(f"{work}/papers.jsonl", "w") as file:
    for number, line in enumerate(papers):
        file.write(json.dumps(json.loads(line) | {"day": DAY, "upvotes": number % 50}) + "\n")
for ran in run("add", "papers.jsonl"), run("like", "1409.0473", "1810.04805", "2010.11929"):
    assert ran.returncode == 0, ran
message = servers()
in_between()
feeds()
looks(parsed(message))
