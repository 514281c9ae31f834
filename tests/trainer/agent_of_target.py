"""``python -m trainer`` whose children run a function of `tests.trainer.targets` instead."""

import logging
import os
import sys
from functools import partial

import trainer.__main__ as program
from trainer.agent.agent import Workplace

if __name__ == "__main__":
    program.WORKER, program.TRAINING = "tests.trainer.targets", ""
    program.Workplace = partial(Workplace, target=f"{program.WORKER}:{sys.argv[1]}", training="")
    code = program.main(sys.argv[2:])
    logging.shutdown()
    os._exit(code)
