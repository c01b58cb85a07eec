#!/usr/bin/env python3
"""Steps in a terminal: terminal_test.py STEP, the program."""
import os, pty, select, sys, time, unittest

STEP = ""


class Terminal:
    def __init__(self, *arguments):
        self.process, self.descriptor = pty.fork()
        if self.process == 0:
            os.environ["TERM"] = "xterm"
            os.environ["LC_ALL"] = "C.UTF-8"  # English
            os.execv(STEP, [STEP, *arguments])
        self.text = ""

    def type(self, text):
        self.text = ""
        os.write(self.descriptor, text.encode())

    def until(self, wanted, seconds=60):
        """Reads until the text is there; what was read since the last input."""
        end = time.monotonic() + seconds
        while wanted not in self.text and time.monotonic() < end:
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.descriptor, 65536).decode(errors="replace")
                except OSError:  # it has ended
                    break
        return self.text

    def status(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


class Interrupts(unittest.TestCase):
    def test_ctrl_c_at_the_prompt_throws_the_line_away(self):
        terminal = Terminal("1")
        self.assertIn("(step) ", terminal.until("(step) "))
        terminal.type("frobnicate")
        terminal.until("frobnicate")
        for _ in range(20):  # a signal just before the program begins to wait is seen with the next one
            terminal.type("\x03")
            if "(step) " in terminal.until("(step) ", 3):
                break
        self.assertIn("(step) ", terminal.text)
        terminal.type("print loss\n")
        self.assertIn("  loss  2.674", terminal.until("2.674"))
        terminal.type("quit\n")
        self.assertEqual(terminal.status(), 0)


if __name__ == "__main__":
    STEP = os.path.abspath(sys.argv.pop(1))
    unittest.main()
