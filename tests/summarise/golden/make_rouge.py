"""Makes rouge.json: F1 of ROUGE-1, ROUGE-2 and ROUGE-L by Google's package.

    pip install rouge-score
    python3 tests/summarise/golden/make_rouge.py     (rouge-score 0.1.2)
"""
import json
import pathlib
import random

from rouge_score import rouge_scorer

CASES = [
    ("the cat sat on the mat", "the cat sat on the mat"),
    ("the cat sat on the mat", "the dog lay under a tree"),
    ("police killed the gunman", "police kill the gunman"),
    ("police killed the gunman", "the gunman kill police"),
    ("the the the cat", "the cat the the the the"),
    ("one", "one"),
    ("one two", "one"),
    ("", "nothing to compare with"),
    ("something", ""),
    ("...", "!?"),
    ("Snow closes road from Drelan to Moros, 4,312 drivers wait.", "snow closes road from drelan to"),
    ("It's 3.5% more: don't worry", "it s 3 5 more don t worry"),
    ("well-known e-mail_address", "well known e mail address"),
    ("a café in Zürich", "a cafe in zurich"),
    ("UPPER lower MiXeD", "upper LOWER mixed"),
    ("a b c d e f g", "g f e d c b a"),
    ("a b a b a b", "b a b a"),
]


def main():
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    generator = random.Random(1)
    words = "the a of town road fire vote closes wins in 10 2500 new old river".split()
    for _ in range(20):
        CASES.append(tuple(" ".join(generator.choices(words, k=generator.randint(1, 14)))
                           for _ in range(2)))
    cases = []
    for reference, candidate in CASES:
        scores = scorer.score(reference, candidate)
        cases.append({"reference": reference, "candidate": candidate,
                      **{name: round(score.fmeasure, 6) for name, score in scores.items()}})
    path = pathlib.Path(__file__).with_name("rouge.json")
    path.write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


main()
