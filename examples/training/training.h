#pragma once

/// All of the shared part but its command line, which is for the file with main() alone.

#include "examples/terminal/output.h"
#include "examples/training/converse.h"
#include "examples/training/interrupts.h"
#include "examples/training/lines.h"
#include "examples/training/memory.h"
#include "examples/training/model_file.h"
#include "examples/training/output_files.h"
#include "examples/training/report.h"
#include "examples/training/text.h"
#include "examples/training/train.h"
#include "examples/training/variants.h"
#include "examples/training/vocabulary.h"
