#pragma once

/// All layers.

#include "layers/attention.h"
#include "layers/coverage.h"
#include "layers/dense.h"
#include "layers/dropout.h"
#include "layers/embedding.h"
#include "layers/fusion.h"
#include "layers/initialise.h"
#include "layers/layer_norm.h"
#include "layers/links.h"
#include "layers/lstm.h"
#include "layers/model_file.h"
#include "layers/multi_head_attention.h"
#include "layers/parameters.h"
#include "layers/sequential.h"
#include "layers/tiled_attention.h"
#include "layers/transformer.h"
