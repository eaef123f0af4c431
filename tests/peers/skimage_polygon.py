"""Reference results of scikit-image: polygons filled by skimage.draw.polygon. Usage: skimage_polygon.py OUTPUT"""

import sys

import exchange

numpy, skimage, draw = exchange.needs("numpy", "skimage", "skimage.draw")
random = numpy.random.default_rng(11)
CASES = 3000
NEAR = [0, 5e-13, -5e-13, 2e-12, 9.99e-13, 1.01e-12]  # around the distance at which a vertex is on a pixel's centre

extents, counts, vertices, pixels = [], [], [], []
for case in range(CASES):
    height, width = random.integers(1, 40, 2)
    count = random.integers(1, 9)
    points = random.uniform(-8, 48, (2, count))
    kind = case % 6
    if kind < 3:
        points = numpy.round(points * (kind + 1)) / (kind + 1)  # whole numbers, halves, thirds
    elif kind == 3:
        points = numpy.round(points) + random.choice(NEAR, (2, count))
    elif kind == 4:
        points = numpy.round(points / 5) * 5 / 7  # many vertices in one row
    else:
        points = points * 10 ** random.uniform(0, 7)
    rows, columns = points
    mask = numpy.zeros((height, width), numpy.uint8)
    mask[draw.polygon(rows, columns, mask.shape)] = 1
    extents.append((height, width))
    counts.append(count)
    vertices.append(numpy.stack((columns, rows), 1))
    pixels.append(mask.ravel())

exchange.save(sys.argv[1], {
    "extents": numpy.array(extents, numpy.int32),
    "counts": numpy.array(counts, numpy.int32),
    "vertices": numpy.ascontiguousarray(numpy.concatenate(vertices)),
    "pixels": numpy.concatenate(pixels),
}, {"scikit-image": skimage.__version__})
