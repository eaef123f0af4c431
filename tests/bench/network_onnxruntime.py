#!/usr/bin/env python3
"""Times the network of Mask R-CNN in onnxruntime on the CPU: what our own is compared with.

    network_onnxruntime.py [--threads 2] [--size 512] [--depth 50] [--rounds 5] [--peer PROGRAM] [--save model.onnx]

Backbone, pyramid, region proposal network, box head on 1000 regions and mask head on 100, 81 classes, fixed inputs,
random weights, batch norm folded away. No proposals, no crops: only what both sides compute in the same way. The box
head's 7x7 convolution is written as the matrix product that it is, which suits onnxruntime better. Prints the median
and best time of a whole run in ms, its CPU time, and the operations. With --peer (our network_bench, found by itself
where it has been built) both run in turn, and the ratio of the medians is printed.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Collects nodes and weights; every method returns the name of its output."""

    def __init__(self, seed=1):
        self.nodes, self.weights, self.gflop = [], [], 0.0
        self.random = numpy.random.default_rng(seed)
        self.shapes = {}

    def input(self, name, shape):
        self.shapes[name] = list(shape)
        return name

    def node(self, kind, inputs, shape, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self.shapes[name] = list(shape)
        return name

    def constant(self, values):
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def normal(self, shape, fan_in):
        values = self.random.standard_normal(shape, dtype=numpy.float32)
        return self.constant(values * numpy.float32((2.0 / fan_in) ** 0.5))

    def conv_weights(self, channels, out, size):
        return self.normal((out, channels, size, size), channels * size * size), self.normal((out,), 100.0)

    def conv(self, x, out, size, stride=1, relu=False, weights=None):
        batch, channels, height, width = self.shapes[x]
        total = size - 1 if stride == 1 else max(size - 1, 0)
        before = total // 2
        pads = [before, before, total - before, total - before]
        rows, columns = (height + total - size) // stride + 1, (width + total - size) // stride + 1
        kernel, bias = weights or self.conv_weights(channels, out, size)
        self.gflop += 2e-9 * batch * rows * columns * out * channels * size * size
        y = self.node("Conv", [x, kernel, bias], [batch, out, rows, columns], kernel_shape=[size, size],
                      strides=[stride, stride], pads=pads)
        return self.relu(y) if relu else y

    def relu(self, x):
        return self.node("Relu", [x], self.shapes[x])

    def add(self, x, y):
        return self.node("Add", [x, y], self.shapes[x])

    def twice(self, x):
        batch, channels, height, width = self.shapes[x]
        scales = self.constant(numpy.array([1, 1, 2, 2], numpy.float32))
        return self.node("Resize", [x, "", scales], [batch, channels, 2 * height, 2 * width], mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def pool(self, x, size, stride, pads):
        batch, channels, height, width = self.shapes[x]
        rows = (height + pads[0] + pads[2] - size) // stride + 1
        columns = (width + pads[1] + pads[3] - size) // stride + 1
        return self.node("MaxPool", [x], [batch, channels, rows, columns], kernel_shape=[size, size],
                         strides=[stride, stride], pads=pads)

    def dense(self, x, out, relu=False):
        rows, features = self.shapes[x]
        self.gflop += 2e-9 * rows * features * out
        weights = self.normal((out, features), features)
        y = self.node("Gemm", [x, weights, self.normal((out,), 100.0)], [rows, out], transB=1)
        return self.relu(y) if relu else y

    def flatten(self, x):
        shape = self.shapes[x]
        return self.node("Flatten", [x], [shape[0], int(numpy.prod(shape[1:]))])

    def transposed(self, x, out):
        batch, channels, height, width = self.shapes[x]
        self.gflop += 2e-9 * batch * height * width * 4 * out * channels
        weights = self.normal((channels, out, 2, 2), channels)
        y = self.node("ConvTranspose", [x, weights, self.normal((out,), 100.0)], [batch, out, 2 * height, 2 * width],
                      kernel_shape=[2, 2], strides=[2, 2])
        return self.relu(y)


def bottleneck(graph, x, width, stride, project):
    y = graph.conv(x, width, 1, stride, relu=True)
    y = graph.conv(y, width, 3, relu=True)
    y = graph.conv(y, 4 * width, 1)
    return graph.relu(graph.add(y, graph.conv(x, 4 * width, 1, stride) if project else x))


def backbone(graph, image, depth):
    x = graph.conv(image, 64, 7, 2, relu=True)
    x = graph.pool(x, 3, 2, [0, 0, 1, 1])
    maps = []
    for stage, blocks in enumerate([3, 4, {50: 6, 101: 23}[depth], 3]):
        for block in range(blocks):
            x = bottleneck(graph, x, 64 << stage, 2 if block == 0 and stage > 0 else 1, block == 0)
        maps.append(x)
    return maps


def pyramid(graph, maps):
    top = graph.conv(maps[3], 256, 1)
    merged = [top]
    for x in reversed(maps[:3]):
        top = graph.add(graph.twice(top), graph.conv(x, 256, 1))
        merged.insert(0, top)
    levels = [graph.conv(x, 256, 3) for x in merged]
    levels.append(graph.pool(levels[3], 1, 2, [0, 0, 0, 0]))
    return levels


def proposals(graph, levels):
    shared, logits, deltas = (graph.conv_weights(256, 512, 3), graph.conv_weights(512, 6, 1),
                              graph.conv_weights(512, 12, 1))
    results = []
    for level in levels:
        x = graph.conv(level, 512, 3, relu=True, weights=shared)
        results += [graph.conv(x, 6, 1, weights=logits), graph.conv(x, 12, 1, weights=deltas)]
    return results


def box_head(graph, regions, classes):
    x = graph.dense(graph.flatten(regions), 1024, relu=True)
    x = graph.dense(x, 1024, relu=True)
    return [graph.node("Softmax", [graph.dense(x, classes)], [1000, classes], axis=1), graph.dense(x, 4 * classes)]


def mask_head(graph, regions, classes):
    x = regions
    for _ in range(4):
        x = graph.conv(x, 256, 3, relu=True)
    x = graph.conv(graph.transposed(x, 256), classes, 1)
    return [graph.node("Sigmoid", [x], graph.shapes[x])]


def whole_network(graph, size, depth):
    levels = pyramid(graph, backbone(graph, graph.input("image", (1, 3, size, size)), depth))
    outputs = levels + proposals(graph, levels)
    outputs += box_head(graph, graph.input("box_regions", (1000, 256, 7, 7)), 81)
    outputs += mask_head(graph, graph.input("mask_regions", (100, 256, 14, 14)), 81)
    return outputs


def make_session(graph, inputs, outputs, threads, path):
    declared = [helper.make_tensor_value_info(name, TensorProto.FLOAT, graph.shapes[name]) for name in inputs]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, graph.shapes[name]) for name in outputs]
    model = helper.make_model(helper.make_graph(graph.nodes, "mask_rcnn", declared, results, graph.weights),
                              opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    if path:
        onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def start_peer(arguments):
    command = [arguments.peer, "--steps", "--threads", str(arguments.threads), "--size", str(arguments.size),
               "--depth", str(arguments.depth)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def peer_run(peer):
    peer.stdin.write("\n")
    peer.stdin.flush()
    return float(peer.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--size", type=int, default=512, help="side of the square image, a multiple of 64")
    parser.add_argument("--depth", type=int, default=50, choices=(50, 101))
    parser.add_argument("--rounds", type=int, default=5)
    built = pathlib.Path(__file__).resolve().parents[2] / "build/release/bench/bench.network_bench"
    parser.add_argument("--peer", default=str(built) if built.exists() else None, help="our program network_bench")
    parser.add_argument("--save", help="also write the model to this file")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a sentence")
    arguments = parser.parse_args()

    graph = Graph()
    outputs = whole_network(graph, arguments.size, arguments.depth)
    names = ["image", "box_regions", "mask_regions"]
    session = make_session(graph, names, outputs, arguments.threads, arguments.save)
    feed = {name: graph.random.standard_normal(graph.shapes[name], dtype=numpy.float32) for name in names}
    session.run(None, feed)
    peer = start_peer(arguments) if arguments.peer else None
    wall, cpu, ours = [], [], []
    for _ in range(arguments.rounds):
        if peer:
            ours.append(peer_run(peer))
        start, start_cpu = time.perf_counter(), time.process_time()
        session.run(None, feed)
        wall.append(1e3 * (time.perf_counter() - start))
        cpu.append(1e3 * (time.process_time() - start_cpu))
    median = statistics.median(wall)
    if arguments.json:
        print(json.dumps({"engine": f"onnxruntime {onnxruntime.__version__}", "threads": arguments.threads,
                          "size": arguments.size, "depth": arguments.depth, "gflop": round(graph.gflop, 1),
                          "median_ms": round(median, 1), "best_ms": round(min(wall), 1),
                          "median_cpu_ms": round(statistics.median(cpu), 1)}))
        return
    print(f"onnxruntime {onnxruntime.__version__}: ResNet-{arguments.depth} at {arguments.size}, {arguments.threads} "
          f"threads: median {median:.1f} ms, best {min(wall):.1f} ms, CPU {statistics.median(cpu):.1f} ms; "
          f"{graph.gflop:.1f} GFLOP, {graph.gflop / median * 1e3:.1f} GFLOP/s")
    if ours:
        ratios = [a / b for a, b in zip(ours, wall)]
        print(f"mrcnn, in turn with it: median {statistics.median(ours):.1f} ms, best {min(ours):.1f} ms; mrcnn / onnxruntime: "
              f"{statistics.median(ratios):.2f} median of the rounds, {min(ours) / min(wall):.2f} best against best")


if __name__ == "__main__":
    main()
