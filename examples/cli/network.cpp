#include "network.hpp"

template class mrcnn::MaskRCNN<mrcnn::HostBackend>;
