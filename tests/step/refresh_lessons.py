"""Writes into all pages that show sessions, in English and in Chinese, what the program prints now:

    python3 tests/step/refresh_lessons.py build/release/step

Each block that begins with a prompt keeps its commands and gets their output anew.
"""
import pathlib
import subprocess
import sys

PROMPT = "(step) "
ROOT = pathlib.Path(__file__).parents[2]
LESSONS = ROOT / "examples" / "step"


def refresh(step, page, lesson):
    language = "zh" if page.name.endswith(".zh.md") else "en"
    command = [step, lesson, "--language", language, "--commands", page]
    output = subprocess.run(command, capture_output=True, text=True)
    banner, *answers = output.stdout.split(PROMPT)
    answers = iter(answers)
    kept, block = [], None
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            shows_session = block and (block[0].startswith("$ ./run step") or block[0].startswith(PROMPT))
            if shows_session:
                for command in block:
                    if command.startswith("$ "):
                        kept += [command, *banner.splitlines()]
                    elif command.startswith(PROMPT):
                        kept += (PROMPT + next(answers)).splitlines()
            elif block is not None:
                kept += block
            block = [] if block is None else None
            kept.append(line)
        elif block is None:
            kept.append(line)
        else:
            block.append(line)
    page.write_text("\n".join(kept) + "\n")


for page in sorted(LESSONS.glob("lesson*/README*.md")):
    refresh(sys.argv[1], page, page.parent.name.removeprefix("lesson"))
for folder, lesson in (ROOT, "1"), (LESSONS, "2"):
    for page in sorted(folder.glob("README*.md")):
        refresh(sys.argv[1], page, lesson)
