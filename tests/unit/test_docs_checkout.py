"""The guide to checkout: its code checks results as it says, in each language it is in."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tandem.checkout.result import Claims, key_id, sign

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = (ROOT / "docs/checkout.md").read_text(encoding="utf-8")
SCRIPTS: Final = ROOT / "apps/public/checkout"
SECRET: Final = "chk_C2FVsBQIhrscChlQIMV-b5sSYspob7oDazMHnF0sPHY"
RELEASED: Final = {
    "1.0.0": "0HZaEzODuqxWPwtUOvs1xx8D29FSFDolRf/JVc3qOIrOoAuB3+KL+f3hhtIiRPS6",
}
"""The SHA-384 of every version of the script that shops were given. It never changes."""


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def claims(**changed: Any) -> Claims:  # noqa: ANN401 - fields of Claims
    now = int(time.time())
    fields: dict[str, Any] = {
        "iss": "https://pay.example",
        "aud": "mer_0199f0a4c0de70008000000000000006",
        "sub": "chs_0199f0a4c0de70008000000000000040",
        "payment": "pay_0199f0a4c0de7000800000000000002a",
        "status": "captured",
        "amount": 3800,
        "currency": "CNY",
        "reference": "订单 1027",
        "iat": now,
        "exp": now + 3600,
    }
    return Claims(**fields | changed)


def tampered() -> list[str]:
    """Results that no shop may believe."""
    good = sign(claims(), SECRET)
    head, body, mac = good.split(".")
    cheaper = sign(claims(amount=1), "chk_another").split(".")[1]
    nothing = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return [
        sign(claims(), "chk_another"),
        sign(claims(exp=int(time.time()) - 1), SECRET),
        f"{head}.{cheaper}.{mac}",
        f"{head}.{body}.",
        f"{nothing}.{body}.",
        f"{head}.{body}.{mac}x",
        f"{head}.{body}",
        "..",
        "x",
        "",
    ]


def test_a_result_is_a_jws_that_names_its_key() -> None:
    head = sign(claims(), SECRET).split(".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    assert header == {"alg": "HS256", "typ": "JWT", "kid": key_id(SECRET)}
    assert re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}", sign(claims(), SECRET))


def test_in_python() -> None:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "guide", "exec"), names)  # noqa: S102 - the guide's own code
    read = names["read_result"]
    assert read(sign(claims(), SECRET), SECRET)["reference"] == "订单 1027"
    for wrong in tampered():
        assert read(wrong, SECRET) is None, wrong


def run(command: list[str], text: str) -> str:
    done = subprocess.run(  # noqa: S603 - the guide's own code
        command, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js here")
def test_in_javascript() -> None:
    good, wrong = json.dumps(sign(claims(), SECRET)), json.dumps(tampered())
    secret = json.dumps(SECRET)
    script = f"""{block("js")}
    const good = readResult({good}, {secret});
    const wrong = {wrong}.map((one) => readResult(one, {secret}));
    console.log(JSON.stringify([good.reference, wrong.every((one) => one === null)]));
    """
    said = run(["node", "--input-type=module", "-"], script)  # found on the path, as asked above
    assert json.loads(said) == ["订单 1027", True]


@pytest.mark.skipif(shutil.which("php") is None, reason="there is no PHP here")
def test_in_php() -> None:
    wrong = ", ".join(f"read_result('{one}', '{SECRET}')" for one in tampered())
    script = f"""<?php {block("php")}
    $good = read_result('{sign(claims(), SECRET)}', '{SECRET}');
    $wrong = array_filter([{wrong}], fn($one) => $one !== null);
    echo json_encode([$good['amount'], count($wrong)]);
    """
    assert json.loads(run(["php"], script)) == [3800, 0]


def digest(version: str) -> str:
    content = (SCRIPTS / version / "checkout.js").read_bytes()
    return base64.b64encode(hashlib.sha384(content).digest()).decode()


def test_a_version_of_the_script_never_changes() -> None:
    assert {path.name for path in SCRIPTS.iterdir()} == set(RELEASED)
    for version, known in RELEASED.items():
        assert digest(version) == known, f"{version} was given to shops: make another version"
        text = (SCRIPTS / version / "checkout.js").read_text(encoding="utf-8")
        assert f"VERSION = '{version}'" in text


def test_the_guide_names_the_newest_with_its_hash() -> None:
    newest = max(RELEASED, key=lambda version: [int(part) for part in version.split(".")])
    assert f"/checkout/{newest}/checkout.js" in GUIDE
    assert f"sha384-{RELEASED[newest]}" in GUIDE
