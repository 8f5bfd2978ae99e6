import pytest
from markupsafe import Markup

from journeyman.web import ansi, highlight, markdown
from journeyman.web.visible import compact, duration, money, one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\x1b[31mb\x07\x7f\r", "a^[[31mb^G^?^M"),
        ("user\u202etxt.exe", "user⟨U+202E⟩txt.exe"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("lone \ud800", "lone \ufffd"),
        ("\u200dx", "⟨U+200D⟩x"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("👩\u200d💻 क्\u200dष", "👩\u200d💻 क्\u200dष"),
        ("\x85\u2028", "⟨U+0085⟩⟨U+2028⟩"),
    ],
)
def test_nothing_hides_in_a_text(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_numbers_are_short() -> None:
    assert [duration(s) for s in (0.44, 12.2, 60, 185, 3600, 7800)] == [
        "0.4 s",
        "12 s",
        "1 min",
        "3 min 5 s",
        "1 h",
        "2 h 10 min",
    ]
    assert [money(n) for n in (None, 0, 250_000_000, 123_456_000_000_000)] == [
        "",
        "",
        "$0.0025",
        "$1,234.56",
    ]
    assert [compact(n) for n in (999, 1000, 12_345, 2_000_000)] == ["999", "1k", "12.3k", "2M"]
    assert one_line("\n  first \nsecond") == "first"
    assert one_line("x" * 300) == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("\x1b[31mred\x1b[0m <b>", '<span class="fg-1">red</span> &lt;b&gt;'),
        ("\x1b[1;4;92mok\x1b[22;24m!", '<span class="t-bold t-underline fg-10">ok</span>'),
        ("\x1b[38;5;196mx", '<span class="fg-9">x</span>'),
        ("\x1b[48;2;0;0;240mx", '<span class="bg-4">x</span>'),
        ("\x1b[38;5mx", "x"),
        ("\x1b]0;title\x07shown\x1b[2J\x1b[10;20H", "shown"),
        ("\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%\r50%\r100%\r\ndone", "100%\ndone"),
        ("\x1b[999999999999m\x1b[;;mx", "x"),
        ("\x1b", "^["),
    ],
)
def test_output_has_the_colours_of_a_terminal_and_nothing_else(text: str, html: str) -> None:
    assert str(ansi.output(text).head).startswith(html)


def test_a_long_output_keeps_its_ends() -> None:
    made = ansi.output("\n".join(str(number) for number in range(1000)))
    assert (made.lines, made.hidden, made.cut) == (1000, 600, True)
    assert str(made.head).endswith("\n199")
    assert str(made.tail).startswith("800\n")


def test_a_line_of_a_megabyte_is_cut() -> None:
    made = ansi.output("x" * 1_000_000)
    assert made.cut
    assert len(made.head) < 2100


def test_an_output_of_fifty_megabytes_is_only_looked_at_where_it_shows() -> None:
    made = ansi.output("first\n" + "\x1b[31mabc\x1b[0m def\n" * 3_000_000 + "last\n")
    assert (made.lines, made.hidden) == (3_000_002, 2_999_602)
    assert str(made.head).startswith("first\n")
    assert str(made.tail).endswith("last")


def test_no_output_has_no_lines() -> None:
    assert ansi.output("").lines == 0


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("[x](data:text/html,x)", "[x](data:text/html,x)"),
        ("[x](//evil.test)", "[x](//evil.test)"),
        ("![x](https://evil.test/p.png)", '!<a href="https://evil.test/p.png"'),
        ("**bold**", "<strong>bold</strong>"),
        ("```js\nlet a = '<'\n```", "&#39;&lt;&#39;"),
        ('```"><b>\nx\n```', "language-&quot;&gt;&lt;b&gt;"),
        ("|a|\n|:-:|\n|1|", "<th>a</th>"),
    ],
)
def test_markdown_can_do_nothing(text: str, html: str) -> None:
    made = str(markdown.render(text)).replace('</span><span class="k-s1">', "")
    assert html in made
    assert "style=" not in made


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Rename `a` to `b`", "Rename <code>a</code> to <code>b</code>"),
        ("`<b>`&`", "<code>&lt;b&gt;</code>&amp;`"),
        ("``\u202e", "``⟨U+202E⟩"),
    ],
)
def test_a_line_with_code_in_it(text: str, html: str) -> None:
    assert markdown.coded(text) == html


def test_links_tell_their_target_nothing() -> None:
    assert 'rel="noopener noreferrer nofollow"' in markdown.render("[x](https://a.test)")


def test_markdown_that_is_too_long_stays_plain() -> None:
    assert str(markdown.render("**x**" * 30_000)).startswith('<pre class="plain">**x**')


def test_code_is_coloured_line_by_line() -> None:
    lines = highlight.by_path('def f():\n    """a\n    b"""\n', "src/x.py")
    assert len(lines) == 4
    assert '<span class="k-k">def</span>' in lines[0]
    assert lines[2].startswith('<span class="k-sd">')


@pytest.mark.parametrize("path", ["no-such-language", "x.<script>", ""])
def test_code_of_an_unknown_language_is_plain(path: str) -> None:
    assert highlight.by_path("a < b", path) == [Markup("a &lt; b")]


def test_code_that_is_too_wide_is_plain() -> None:
    assert "span" not in highlight.by_path("x = " + "1" * 6000, "a.py")[0]
