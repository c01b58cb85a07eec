"""Doxygen's filter. Formulas that stand indented in a docstring, as people write them,

    ///     y = (x − mean) / √(variance + ε)

become MathML. Two or more spaces part columns; prose stays text, and C++ stays code. In pages of text, links to
headers become links to what the reference says of them; in Chinese ones, what is emphasised, which Doxygen knows
between spaces alone, is marked as HTML.
"""
import re
import sys
import unicodedata
from html import escape

BLOCK = re.compile(r"(?:^ *///     .*\n)+", re.M)
CODE = re.compile(r'[;{]$|::|["{]|\w\.\w+\(|\bprepare\(', re.M)
PROSE = re.compile(r"[a-z]{2,} (?!max|log|exp)[a-z]{2,}\b|^[a-zA-Z_ ]{2,}$|\b[12]\d{3}\b")
HEADER_LINK = re.compile(r"\[([^\]]+)\]\(((?:\w+/)+\w+\.h)\)")
STRONG, EMPHASIS = re.compile(r"\*\*([^*\n]+)\*\*"), re.compile(r"\*([^*\n]+)\*")
LETTER = "[A-Za-zα-ωΦ]"
SUBSCRIPTS, SUPERSCRIPTS = "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼᵣᵤᵥ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀᵗⁿⁱʸ′'"
TOKEN = re.compile(rf"{LETTER}{{2,}}(?:_[a-z]{{2,}})*\d*|\d+(?:\.\d+)?|{LETTER}\u0302?"
                   rf"|_{LETTER}+(?:,[{SUBSCRIPTS}])?|[{SUBSCRIPTS}]+|[{SUPERSCRIPTS}]+|\S")
BRACKETS = {"(": ")", "[": "]", "⌊": "⌋"}
OPERATORS = set("+−=←→±·∘/⁄,;:<>|)]⌋")


class Formula:
    """row = products and operators; product = terms parted by · or /; term = factors in a row."""

    def __init__(self, text):
        self.tokens = TOKEN.findall(re.sub(r"(?<=\S)/(?=\S)", "⁄", text))  # of dL/dx: binds most

    def sees(self, signs):
        return bool(self.tokens) and self.tokens[0] in signs

    def row(self, end=()):
        items = []
        while self.tokens and not self.sees(end):
            sign = self.sees(OPERATORS)
            items.append(f"<mo>{escape(self.tokens.pop(0))}</mo>" if sign else self.product())
        return f"<mrow>{''.join(items)}</mrow>"

    def product(self):
        left, bare = self.term()
        while self.sees("·∘/"):
            sign = self.tokens.pop(0)
            right, right_bare = self.term()
            left = (f"<mfrac>{bare}{right_bare}</mfrac>" if sign == "/" else
                    f"<mrow>{left}<mo>{sign}</mo>{right}</mrow>")
            bare = left
        return left

    def term(self):
        node, bare = self.factor()
        while self.tokens and not self.sees(OPERATORS):
            gap = "" if self.sees("([") else '<mspace width=".25em"></mspace>'
            node = bare = f"<mrow>{node}{gap}{self.factor()[0]}</mrow>"
        return node, bare

    def factor(self):
        """Its MathML, with brackets and, for a fraction or a root, without."""
        token = self.tokens.pop(0) if self.tokens else ""
        if token in BRACKETS:
            bare = self.row(BRACKETS[token])
            close = self.tokens.pop(0) if self.tokens else ""
            tall = "true" if "mfrac" in bare else "false"
            node = (f'<mrow><mo stretchy="{tall}">{token}</mo>{bare}'
                    f'<mo stretchy="{tall}">{close}</mo></mrow>')
        else:
            node = bare = (f"<msqrt>{self.factor()[1]}</msqrt>" if token == "√" else
                           f"<mn>{token}</mn>" if token[:1].isdigit() else f"<mi>{token}</mi>")
        while self.tokens and self.tokens[0][0] in SUBSCRIPTS + SUPERSCRIPTS + "_":
            small = self.tokens.pop(0)
            if small in "′'":
                node = bare = f"<mrow>{node}<mo>′</mo></mrow>"
                continue
            tag = "msup" if small[0] in SUPERSCRIPTS else "msub"
            text = unicodedata.normalize("NFKC", small.lstrip("_"))
            node = bare = f"<{tag}>{node}<mi>{text}</mi></{tag}>"
        if self.sees("^"):
            self.tokens.pop(0)
            node = bare = f"<msup>{node}{self.factor()[1]}</msup>"
        if self.sees("⁄"):
            self.tokens.pop(0)
            node = bare = f"<mfrac>{bare}{self.factor()[1]}</mfrac>"
        return node, bare


def typeset(block):
    lines = [line.split("///", 1)[1].strip() for line in block[0].splitlines()]
    if CODE.search("\n".join(lines)):
        return block[0]
    rows = ""
    for line in lines:
        cells = [f"<mtext>{escape(cell)}</mtext>" if PROSE.search(cell) else Formula(cell).row()
                 for cell in re.split(r" {2,}", line)]
        rows += "<mtr>" + "".join(f"<mtd>{cell}</mtd>" for cell in cells) + "</mtr>"
    rows = rows.replace("<mtd>", '<mtd style="text-align: left; padding: .3em 1.5em .3em 0">')
    math = f'<p><math displaystyle="true"><mtable>{rows}</mtable></math></p>'
    return f"/// \\htmlonly[block]{math}\\endhtmlonly\n" + "///\n" * (len(lines) - 1)


def emphasised(text):
    parts = text.split("```")  # every other one is code
    for i in range(0, len(parts), 2):
        parts[i] = STRONG.sub(r"<strong>\1</strong>", parts[i])
        parts[i] = EMPHASIS.sub(r"<em>\1</em>", parts[i])
    return "```".join(parts)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    text = HEADER_LINK.sub(r'\\ref \2 "\1"', text) if sys.argv[1].endswith(".md") else \
        BLOCK.sub(typeset, text)
    text = emphasised(text) if sys.argv[1].endswith(".zh.md") else text
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)
