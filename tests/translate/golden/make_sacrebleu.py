#!/usr/bin/env python3
"""Writes sacrebleu.json: cases of tokenised hypotheses and references with sacrebleu's scores."""
import json
import pathlib

import sacrebleu

WORDS = {  # name: [(hypothesis, reference), ...], tokens separated by spaces
    "perfect": [("the bus leaves at ten past eight .",) * 2, ("have you fed the cat ?",) * 2],
    "nothing in common": [("abc abc", "xyz uvw")],
    "one word in common": [("the cat", "the dog sleeps here")],
    "no four words in a row": [("a red car stood there", "a red bike was parked there")],
    "too short": [("my sister plays the", "my sister plays the violin every evening after dinner")],
    "too long": [("my sister plays the violin and the piano and the flute",
                  "my sister plays the violin")],
    "repeated words": [("the the the the the the the", "the cat sat on the mat near the door"),
                       ("he went went to to the market today", "he went to the market today")],
    "repeated n-grams": [("no no no no no no", "no no no no"), ("no no no no", "no no no no no no")],
    "one hypothesis is empty": [("", "we will meet on the bridge tomorrow"),
                                ("it has rained since last night", "it has rained since last night")],
    "all hypotheses are empty": [("", "some words"), ("", "more of them")],
    "one reference is empty": [("it is already late", ""),
                               ("the train is late again today", "the train is late again")],
    "nothing at all": [("", "")],
    "one word that is right": [("yes", "yes")],
    "short sentences only": [("yes", "yes"), ("no .", "no !"), ("i see .", "i see .")],
    "short among long": [("i", "i"), ("we saw three boats on the lake", "we saw three boats on a lake")],
    "same length, other order": [("yesterday my uncle sold his old farm in the hills",
                                  "my uncle sold his old farm in the hills yesterday")],
    "apostrophes and marks": [("don't forget your umbrella , it's raining !",
                               "don't forget the umbrella ; it's raining !")],
    "accents": [("the café in zürich was full", "the café in zurich was full")],
    "unknown words": [("the <unk> is on the table", "the teapot is on the table")],
    "several sentences": [
        ("where did you put the keys ?", "where have you put the keys ?"),
        ("the soup is too salty for me .", "this soup is too salty for me ."),
        ("our neighbour's dog barks every night .", "our neighbours' dog barks all night ."),
        ("she learns chinese since two years .", "she has been learning chinese for two years ."),
        ("turn left at the second crossing , please .", "please turn left at the second crossing ."),
        ("nobody .", "nobody answered the door when i knocked ."),
    ],
}

CHARACTERS = {  # name: [(hypothesis, reference), ...], a token is a character
    "Chinese, perfect": [("我们明天早上八点出发。",) * 2],
    "Chinese, nothing in common": [("你好", "再见了朋友")],
    "Chinese, single characters": [("好", "好"), ("是", "不"), ("来", "去")],
    "Chinese, too short": [("他昨天买", "他昨天在书店买了三本新书。")],
    "Chinese, too long": [("这杯茶太热太热太热太热了。", "这杯茶太热了。")],
    "Chinese, other order": [("他在图书馆看书每天晚上。", "他每天晚上在图书馆看书。")],
    "Chinese, beyond the basic plane": [("𠮷野先生住在这里。", "𠮷田先生住在这里。")],
    "Chinese, several sentences": [
        ("你的房间比我的大一点。", "你的房间比我的房间大一点。"),
        ("她没有吃早饭就去学校了。", "她没吃早饭就去上学了。"),
        ("这是我爷爷种的树。", "那棵树是我爷爷种的。"),
        ("请问,火车站怎么走?", "请问,去火车站怎么走?"),
        ("外面正在下雪。", "外面在下大雪。"),
        ("", "我忘了带雨伞。"),
        ("两只猫在沙发上睡觉。", "两只猫在沙发上睡觉。"),
    ],
}


def case(name, pairs):
    hypotheses, references = zip(*pairs)
    bleu = sacrebleu.corpus_bleu(hypotheses, [references], tokenize="none", smooth_method="none",
                                 force=True)
    chrf = sacrebleu.corpus_chrf(hypotheses, [references])
    return dict(name=name, hypotheses=hypotheses, references=references, bleu=round(bleu.score, 6),
                chrf=round(chrf.score, 6))


def spaced(pairs):
    return [tuple(" ".join(side) for side in pair) for pair in pairs]


cases = [case(name, pairs) for name, pairs in WORDS.items()]
cases += [case(name, spaced(pairs)) for name, pairs in CHARACTERS.items()]
everything = [pair for pairs in WORDS.values() for pair in pairs]
cases.append(case("all cases of words at once", everything))
text = json.dumps(dict(sacrebleu=sacrebleu.__version__, cases=cases), ensure_ascii=False, indent=1)
pathlib.Path(__file__).with_name("sacrebleu.json").write_text(text + "\n", encoding="utf-8")
