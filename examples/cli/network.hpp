#ifndef MRCNN_EXAMPLES_CLI_NETWORK_HPP
#define MRCNN_EXAMPLES_CLI_NETWORK_HPP

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/models/mask_rcnn.hpp"

namespace mrcnn {

/// Compiled once, in network.cpp: it takes half a minute.
extern template class MaskRCNN<HostBackend>;

}  // namespace mrcnn

#endif
