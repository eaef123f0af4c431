"""Reference results of pycocotools: outlines, run lengths, merges and overlaps. Usage: pycocotools_masks.py OUTPUT"""

import sys

import exchange

numpy, mask_api = exchange.needs("numpy", "pycocotools.mask")
random = numpy.random.default_rng(17)
arrays = {}


def texts(name, rles):
    """The strings of masks, a line each."""
    arrays[name] = numpy.frombuffer(b"".join(rle["counts"] + b"\n" for rle in rles), numpy.uint8)


def table(name, rows, kind, columns):
    arrays[name] = numpy.array(rows, kind).reshape(-1, columns)


def outline(height, width):
    """Corners anywhere around the picture, so most outlines cross themselves; some on a grid, tiny, huge or doubled."""
    corners = int(random.integers(3, 60 if random.random() < 0.2 else 9))
    spread = random.choice([1.0, 1.0, 1.5, 3.0, 0.2, 0.02, 40.0, 2000.0])
    xy = (random.random((corners, 2)) - 0.5) * spread * [width, height] + random.random(2) * [width, height]
    grid = random.choice([0, 0, 1, 2, 5, 10, 100])
    if grid:
        xy = numpy.round(xy * grid) / grid
    if random.random() < 0.15:
        xy = numpy.repeat(xy, 2, axis=0)
    if random.random() < 0.15:
        xy[:, int(random.integers(0, 2))] = xy[0, 0]
    if random.random() < 0.3:
        xy = numpy.clip(xy, 0, [width, height])
    return xy.ravel().tolist()


def pixels(height, width):
    mask = (random.random((height, width)) < random.choice([0, 0.02, 0.3, 0.5, 0.97, 1])).astype(numpy.uint8)
    for _ in range(int(random.integers(0, 3))):
        y, x = int(random.integers(0, height)), int(random.integers(0, width))
        mask[y:y + int(random.integers(1, height + 1)), x:x + int(random.integers(1, width + 1))] ^= 1
    return mask


def encoded(mask):
    return mask_api.encode(numpy.asfortranarray(mask))


# Outlines: each ring by itself, the union of each object's rings, and boxes.
sizes, coordinates, ring_ends, object_ends, rings, unions, common = [], [], [], [], [], [], []
for _ in range(3000):
    height, width = int(random.integers(1, 70)), int(random.integers(1, 70))
    shapes = [outline(height, width) for _ in range(int(random.choice([1, 1, 2, 4])))]
    parts = mask_api.frPyObjects(shapes, height, width)
    sizes.append((height, width))
    for shape in shapes:
        coordinates += shape
        ring_ends.append(len(coordinates))
    object_ends.append(len(ring_ends))
    rings += parts
    unions.append(mask_api.merge(parts))
    common.append(mask_api.merge(parts, True))
table("outlines/sizes", sizes, numpy.int32, 2)
arrays["outlines/coordinates"] = numpy.array(coordinates)
arrays["outlines/ring_ends"] = numpy.array(ring_ends, numpy.int32)
arrays["outlines/object_ends"] = numpy.array(object_ends, numpy.int32)
texts("outlines/rings", rings)
texts("outlines/unions", unions)
texts("outlines/intersections", common)

boxes = numpy.concatenate([random.normal(15, 15, (1000, 4)), numpy.round(random.normal(15, 15, (1000, 4)) * 2) / 2])
arrays["boxes/boxes"] = boxes
texts("boxes/masks", mask_api.frPyObjects(boxes, 30, 40))

# Masks of pixels.
sizes, planes, masks = [], [], []
for _ in range(2000):
    height, width = (int(side) for side in random.integers(1, 40, 2))
    mask = pixels(height, width)
    sizes.append((height, width))
    planes.append(mask.ravel())
    masks.append(encoded(mask))
table("masks/sizes", sizes, numpy.int32, 2)
arrays["masks/pixels"] = numpy.concatenate(planes)
texts("masks/texts", masks)
arrays["masks/areas"] = numpy.array([mask_api.area(mask) for mask in masks], numpy.float64)  # of 256 at once it fails
arrays["masks/boxes"] = mask_api.toBbox(masks)

# Run lengths of any size, up to 2^32 pixels, as lists.
sizes, counts, count_ends, listed = [], [], [], []
for _ in range(1000):
    height, width = (int(2 ** exponent) for exponent in random.uniform(0, 15.99, 2))
    ends = numpy.unique(numpy.concatenate([random.integers(0, height * width, int(random.integers(0, 30))),
                                           [height * width]]))
    runs = numpy.diff(ends, prepend=0).tolist()
    sizes.append((height, width))
    counts += runs
    count_ends.append(len(counts))
    listed.append(mask_api.frPyObjects({"size": [height, width], "counts": runs}, height, width))
table("lists/sizes", sizes, numpy.int32, 2)
arrays["lists/counts"] = numpy.array(counts, numpy.uint32).view(numpy.int32)
arrays["lists/count_ends"] = numpy.array(count_ends, numpy.int32)
texts("lists/texts", listed)
arrays["lists/areas"] = numpy.array([mask_api.area(mask) for mask in listed], numpy.float64)
arrays["lists/boxes"] = mask_api.toBbox(listed)

# Overlaps: each problem has its own picture, detections, ground truths and crowds.
problems, texts_d, texts_g, crowds, overlaps = [], [], [], [], []
for _ in range(500):
    height, width = (int(side) for side in random.integers(1, 40, 2))
    d = [encoded(pixels(height, width)) for _ in range(int(random.integers(1, 7)))]
    g = [mask_api.merge(mask_api.frPyObjects([outline(height, width)], height, width))
         for _ in range(int(random.integers(1, 7)))]
    crowd = random.integers(0, 2, len(g)).tolist()
    problems.append((height, width, len(d), len(g)))
    texts_d += d
    texts_g += g
    crowds += crowd
    overlaps.append(numpy.ascontiguousarray(mask_api.iou(d, g, crowd)).ravel())
table("overlaps/problems", problems, numpy.int32, 4)
texts("overlaps/detections", texts_d)
texts("overlaps/truths", texts_g)
arrays["overlaps/crowds"] = numpy.array(crowds, numpy.uint8)
arrays["overlaps/overlaps"] = numpy.concatenate(overlaps)

d, g = random.normal(30, 30, (300, 4)), random.normal(30, 30, (200, 4))
g[:100] = d[:100] + random.normal(0, 3, (100, 4))
for odd in (numpy.nan, numpy.inf, -numpy.inf, 0.0, 1e300, -1e-300):
    for boxes in (d, g):
        boxes[random.integers(0, len(boxes), 8), random.integers(0, 4, 8)] = odd
crowd = random.integers(0, 2, len(g))
arrays["box_overlaps/detections"] = d
arrays["box_overlaps/truths"] = g
arrays["box_overlaps/crowds"] = crowd.astype(numpy.uint8)
arrays["box_overlaps/overlaps"] = numpy.ascontiguousarray(mask_api.iou(d, g, crowd.tolist()))
exchange.save(sys.argv[1], arrays, {})
