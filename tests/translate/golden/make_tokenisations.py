#!/usr/bin/env python3
"""Writes tokenisations.json: lines as sacrebleu cuts them, and its BLEU by each tokenisation."""
import json
import pathlib

import sacrebleu
from sacrebleu.metrics.bleu import _get_tokenizer

NAMES = ["none", "13a", "intl", "zh", "char"]

LINES = [
    "",
    "   ",
    "A cat, a dog.",
    "\"Stop!\" he said... and left; why?",
    "It cost 1,234.50 dollars (or 3.5 % more).",
    "5, 10 and 15-20, the 1990s-style U.S.A. No. 7.",
    ".5 and 5. and a.b, c.d .. ,, .,., 7.,8",
    "well-known semi-final; 10-year-old, -5 - 6 --- x",
    "tom&amp;jerry &lt;b&gt; &quot;quoted&quot; &amp;lt; <skipped> it &apos;s",
    "under_score [brackets] {braces} a|b ~c `d` e^f \\ g/h @user #tag $5 5% a=b c+d",
    "don't we've l'été d’accord «bonjour» „Hallo“ “hi” ‘ho’ – and — too…",
    "Ein Mädchen in einem Karateanzug bricht 2,5 Bretter; schön!",
    "No break\u00a0space\u3000wide\u2028line\tand tab ",
    "我们明天早上8点出发,好吗?Tom说:“好的。”",
    "他有3.5公斤、1,000元（大约）。𠮷野家！",
    "全角ＡＢＣ１２３，与半角abc。☆★♥ ㊣ ㎏ ⿰ ㄅ ︵",
    "カメラを2台、買いました。ﾃｽﾄ",
    "Цена: 1.000,50 руб.; №5 — это всё!",
    "한국어 문장입니다. 값은 3,000원?",
    "emoji 👍🏽 👨\u200d👩\u200d👧 and € £ ¥ © 1€ 2°C ½ ² Ⅳ",
    "x² + y² = z², ∑ ≤ ∞ ¿qué? ¡sí!",
    "ends with a mark.",
    "ends with a number 5.",
    "3:30, 12.05.2024; 1/2 a/b http://example.org/a_b?c=d&e=f",
    "...",
    "a,b.c",
    "9,",
    ",9",
]

PAIRS = [
    ("A man with an orange hat, staring at something.", "A man in an orange hat starring at something."),
    ("A Boston Terrier runs on green grass in front of a white fence!",
     "A Boston Terrier is running on lush green grass in front of a white fence."),
    ("It cost 1,234.50 dollars (3.5% more).", "It cost 1,234.50 dollars (3.5 % more)."),
    ("„Hallo“, sagte er – und ging…", "„Hallo“, sagte er — und ging..."),
    ("他昨天在书店买了3本新书。", "他昨天在书店买了三本新书。"),
    ("请问,去火车站怎么走?", "请问，火车站怎么走？"),
]

tokens = {name: [_get_tokenizer(name)()(line.rstrip()).split() for line in LINES] for name in NAMES}
hypotheses, references = zip(*PAIRS)
scores = [dict(tokenisation=name, lower_case=lower,
               bleu=round(sacrebleu.corpus_bleu(hypotheses, [references], tokenize=name,
                                                lowercase=lower, smooth_method="none",
                                                force=True).score, 6))
          for name in NAMES for lower in (False, True)]
text = json.dumps(dict(sacrebleu=sacrebleu.__version__, lines=LINES, tokens=tokens,
                       hypotheses=hypotheses, references=references, scores=scores),
                  ensure_ascii=False, indent=1)
pathlib.Path(__file__).with_name("tokenisations.json").write_text(text + "\n", encoding="utf-8")
