#pragma once

/// All ops on tensors. Each is declared in the header of its kind, with its formula and its
/// gradient. For users: the library itself includes what it uses.

#include "core/ops/cross_entropy.h"
#include "core/ops/dropout.h"
#include "core/ops/einsum.h"
#include "core/ops/functions.h"
#include "core/ops/gather.h"
#include "core/ops/index.h"
#include "core/ops/layer_norm.h"
#include "core/ops/losses.h"
#include "core/ops/mask.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/softmax.h"
#include "core/ops/sort.h"
