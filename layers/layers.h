#pragma once

/// All layers.

#include "core/ops/ops.h"
#include "layers/attention/attention.h"
#include "layers/attention/coverage.h"
#include "layers/attention/fusion.h"
#include "layers/attention/local_attention.h"
#include "layers/attention/multi_head_attention.h"
#include "layers/attention/tiled_attention.h"
#include "layers/batches.h"
#include "layers/dense.h"
#include "layers/dropout.h"
#include "layers/embedding.h"
#include "layers/initialise.h"
#include "layers/layer_norm.h"
#include "layers/model_file.h"
#include "layers/parameters.h"
#include "layers/recurrent/lstm.h"
#include "layers/sequential.h"
#include "layers/transformer/transformer.h"
