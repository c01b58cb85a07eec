#pragma once

/// All ops on tensors. Each is declared in the header of its kind, with its formula and its
/// gradient. For users: the library itself includes what it uses.

#include "core/functions/cross_entropy.h"
#include "core/functions/dropout.h"
#include "core/functions/einsum.h"
#include "core/functions/index.h"
#include "core/functions/layer_norm.h"
#include "core/functions/losses.h"
#include "core/functions/mask.h"
#include "core/functions/scan.h"
#include "core/functions/softmax.h"
#include "core/functions/sort.h"
#include "core/functions/statistics.h"
#include "core/ops/functions.h"
#include "core/ops/gather.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
