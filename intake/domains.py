"""Domains of addresses and web pages, and which of them tell where somebody works."""

import re

from intake.cleaning import clean_line

# Providers of mail for everybody: an address there says nothing of the company its owner works for. Those that have an ending
# for each country are told by their name alone.
_FREE_NAMES = frozenset(
    {"yahoo", "ymail", "rocketmail", "hotmail", "outlook", "live", "msn", "gmx", "yandex", "aol", "zoho"}
)
_FREE = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "proton.me",
        "protonmail.com",
        "pm.me",
        "tutanota.com",
        "tuta.io",
        "fastmail.com",
        "hey.com",
        "mail.com",
        "email.com",
        "inbox.com",
        "web.de",
        "t-online.de",
        "freenet.de",
        "arcor.de",
        "mailbox.org",
        "posteo.de",
        "online.de",
        "magenta.de",
        "bluewin.ch",
        "hispeed.ch",
        "sunrise.ch",
        "aon.at",
        "chello.at",
        "a1.net",
        "orange.fr",
        "wanadoo.fr",
        "free.fr",
        "laposte.net",
        "sfr.fr",
        "bbox.fr",
        "neuf.fr",
        "numericable.fr",
        "libero.it",
        "virgilio.it",
        "alice.it",
        "tiscali.it",
        "tin.it",
        "fastwebnet.it",
        "telenet.be",
        "skynet.be",
        "ziggo.nl",
        "kpnmail.nl",
        "planet.nl",
        "hetnet.nl",
        "xs4all.nl",
        "home.nl",
        "telia.com",
        "comhem.se",
        "online.no",
        "tdcadsl.dk",
        "mail.dk",
        "jubii.dk",
        "elisanet.fi",
        "kolumbus.fi",
        "seznam.cz",
        "email.cz",
        "centrum.cz",
        "wp.pl",
        "o2.pl",
        "onet.pl",
        "onet.eu",
        "interia.pl",
        "op.pl",
        "freemail.hu",
        "citromail.hu",
        "abv.bg",
        "ukr.net",
        "mail.ru",
        "bk.ru",
        "inbox.ru",
        "list.ru",
        "rambler.ru",
        "comcast.net",
        "verizon.net",
        "att.net",
        "sbcglobal.net",
        "bellsouth.net",
        "cox.net",
        "charter.net",
        "earthlink.net",
        "juno.com",
        "optonline.net",
        "rogers.com",
        "sympatico.ca",
        "shaw.ca",
        "telus.net",
        "bigpond.com",
        "optusnet.com.au",
        "xtra.co.nz",
        "btinternet.com",
        "sky.com",
        "talktalk.net",
        "virginmedia.com",
        "ntlworld.com",
        "blueyonder.co.uk",
        "eircom.net",
        "telefonica.net",
        "terra.com.br",
        "uol.com.br",
        "bol.com.br",
        "ig.com.br",
        "globo.com",
        "prodigy.net.mx",
        "qq.com",
        "foxmail.com",
        "163.com",
        "126.com",
        "yeah.net",
        "sina.com",
        "sohu.com",
        "aliyun.com",
        "139.com",
        "189.cn",
        "naver.com",
        "daum.net",
        "hanmail.net",
        "nate.com",
        "docomo.ne.jp",
        "ezweb.ne.jp",
        "softbank.ne.jp",
        "nifty.com",
        "rediffmail.com",
        "walla.co.il",
        "mail.ee",
        "privaterelay.appleid.com",
        "users.noreply.github.com",
        "duck.com",
    ]
)
_DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}\Z")
_WEB = re.compile(r"(?:https?:)?//")


def domain_of(written: str) -> str:
    """The domain in an e-mail address, the address of a web page or a domain as it was typed; "" where there is none."""
    text = _WEB.sub("", clean_line(written, longest=1000).lower(), count=1)
    text = re.split(r"[/?#:\s]", text, maxsplit=1)[0].rpartition("@")[2].removeprefix("www.").rstrip(".")
    try:
        text = text if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        return ""
    return text if _DOMAIN.match(text) else ""


def company_domain(written: str) -> str:
    """The same, but "" for the providers of mail for everybody."""
    found = domain_of(written)
    return "" if found in _FREE or found.partition(".")[0] in _FREE_NAMES else found
