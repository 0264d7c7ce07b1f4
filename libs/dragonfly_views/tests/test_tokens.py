from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from dragonfly_common.cli import main
from dragonfly_common.errors import ConfigError
from dragonfly_views.access import read_tokens
from dragonfly_views.tokens import Quota, hash_token, parse_tokens, write_entry

A, B, C = (hash_token(token) for token in "abc")


def entry(line: str) -> str:
    return f'[bots.alpha]\ntoken_sha256 = "{A}"\n{line}\n'


def test_a_token_is_known_by_its_hash_also_while_it_is_replaced() -> None:
    tokens = parse_tokens(
        f'[bots.alpha]\ntoken_sha256 = ["{A}", "{B.upper()}"]\n[bots."be.ta"]\ntoken_sha256 = "{C}"'
    )
    owners = [tokens.owner(hashed) for hashed in (A, B, C, hash_token("d"))]
    assert [owner and owner.name for owner in owners] == ["alpha", "alpha", "be.ta", None]


def test_quotas_are_the_bots_own_and_may_be_left_out() -> None:
    text = write_entry("alpha", A) + write_entry("be.ta", B) + f'[bots.c]\ntoken_sha256 = "{C}"'
    quotas = [bot.quota for bot in parse_tokens(text)]
    assert quotas == [Quota(16, 64, 5.0), Quota(16, 64, 5.0), Quota()]


def test_scopes_and_comp_ids_are_the_bots_own_and_may_be_left_out() -> None:
    [plain] = parse_tokens(entry(""))
    assert [*plain.scopes, *plain.comp_ids] == ["md", "alpha"]
    [other] = parse_tokens(entry('scopes = ["md", "trade"]\ncomp_ids = ["DESK1", "DESK2"]'))
    assert sorted(other.scopes) == ["md", "trade"]
    assert sorted(other.comp_ids) == ["DESK1", "DESK2"]


def test_a_file_without_bots_lets_nobody_in() -> None:
    assert not list(parse_tokens("# none yet\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[bots", "it is no TOML"),
        ("bots = " + "[" * 3000, "it is no TOML"),
        ("bots = " + "9" * 5000, "it is no TOML"),
        (entry("connections_per_s = 1" + "0" * 400), "connections_per_s of alpha must be a number"),
        ("[bot.alpha]\n", "more than tables [bots.NAME]"),
        ("bots = 3", "more than tables [bots.NAME]"),
        ("[bots]\nalpha = 3", "more than tables [bots.NAME]"),
        ("[bots.alpha]\n", "token_sha256 of alpha must be one SHA-256"),
        ("[bots.alpha]\ntoken_sha256 = []", "token_sha256 of alpha"),
        ('[bots.alpha]\ntoken_sha256 = "abc"', "token_sha256 of alpha"),
        (f'[bots.alpha]\ntoken_sha256 = ["{A}", "{B}", "{C}"]', "token_sha256 of alpha"),
        ('[bots."a b"]\n', "'a b' is no bot's name"),
        (entry("streams = 0"), "streams of alpha must be a number above 0"),
        (entry("instruments = 1.5"), "instruments of alpha must be a number above 0"),
        (entry("instruments = true"), "instruments of alpha must be a number above 0"),
        (entry('connections_per_s = "5"'), "connections_per_s of alpha must be a number above 0"),
        (entry("connections_per_s = inf"), "connections_per_s of alpha must be a number above 0"),
        (entry("stream = 1"), "'stream' of alpha means nothing here"),
        (entry("") + f'[bots.beta]\ntoken_sha256 = "{A}"', "alpha and beta have the same token"),
        (entry('scopes = ["all"]'), "scopes of alpha must be some of md, trade"),
        (entry("scopes = []"), "scopes of alpha must be a list of"),
        (entry('comp_ids = "DESK"'), "comp_ids of alpha must be a list of"),
        (entry('comp_ids = ["A B"]'), "comp_ids of alpha must be a list of"),
        (
            entry("") + f'[bots.beta]\ntoken_sha256 = "{B}"\ncomp_ids = ["alpha"]',
            "alpha and beta have the same CompID",
        ),
    ],
)
def test_a_bad_file_is_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_tokens(text)
    assert words in str(error.value)
    assert A not in str(error.value)


def test_a_new_token_is_printed_once_with_the_lines_of_its_bot() -> None:
    outcome = CliRunner().invoke(main, ["token", "new", "alpha"])
    assert outcome.exit_code == 0
    token, lines = outcome.stdout.split("\n\n")
    assert len(token) == 43  # 256 bits
    owner = parse_tokens(lines).owner(hash_token(token))
    assert owner is not None
    assert owner.name == "alpha"
    assert token not in outcome.stderr
    assert CliRunner().invoke(main, ["token", "new", "alpha"]).stdout.split()[0] != token


def test_new_tokens_are_added_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    made = {}
    for name in ("alpha", "be.ta"):
        outcome = CliRunner().invoke(main, ["token", "new", name, "--file", str(file)])
        assert outcome.exit_code == 0
        made[name] = outcome.stdout.strip()
        assert outcome.stderr == f"{name} was added to {file}; its token is shown this once.\n"
    for name, token in made.items():
        owner = read_tokens(file).owner(hash_token(token))
        assert owner is not None
        assert owner.name == name
        assert token not in file.read_text()


def test_a_token_in_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    out, file = tmp_path / "alpha.token", tmp_path / "tokens.toml"
    arguments = ["token", "new", "alpha", "--file", str(file), "--out", str(out)]
    outcome = CliRunner().invoke(main, arguments)
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr.endswith(f"\nalpha was added to {file}.\n")
    assert out.stat().st_mode & 0o777 == 0o600
    assert read_tokens(file).owner(hash_token(out.read_text().strip())) is not None
    before = out.read_text()
    again = CliRunner().invoke(main, ["token", "new", "beta", *arguments[3:]])
    assert again.exit_code == 78
    assert f"{out} exists" in again.stderr
    assert out.read_text() == before
    assert "beta" not in read_tokens(file)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o644, True)])
def test_a_token_that_is_redirected_to_where_others_read_is_said(
    tmp_path: Path, mode: int, *, warned: bool
) -> None:
    out = tmp_path / "alpha.token"
    out.touch()
    out.chmod(mode)
    command = [sys.executable, "-m", "dragonfly_common.cli", "token", "new", "alpha"]
    with out.open("w") as stdout:
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=True)
    assert ("can be read by" in done.stderr) == warned


def test_a_tokens_file_that_anybody_may_write_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(entry(""))
    file.chmod(0o666)
    with pytest.raises(ConfigError, match="may be written by anybody"):
        read_tokens(file)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a b", "", "'a b' is no bot's name"),
        ("alpha", entry(""), "alpha is in"),
        ("beta", "[bots", "is no tokens file: it is no TOML"),
    ],
)
def test_a_token_that_cannot_be_added_is_not_made(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(content)
    outcome = CliRunner().invoke(main, ["token", "new", name, "--file", str(file)])
    assert outcome.exit_code == 78
    assert words in outcome.stderr
    assert (outcome.stdout, file.read_text()) == ("", content)
