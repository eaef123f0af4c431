"""A detection problem as large as COCO's val2017, seeded: what coco_peers.py evaluates.

Pictures, objects as polygons, one in a hundred a crowd as run lengths, and detections with boxes or masks: jittered
objects, wrong classes and inventions. Sizes, classes and the number of objects are spread about as in val2017.
"""

import json
import pathlib

import numpy
from pycocotools import mask

IMAGES, OBJECTS, CLASSES, DETECTIONS = 5000, 36000, 80, 100
SIZES = ((640, 480), (640, 427), (480, 640), (640, 640), (500, 375))
SHARES = (0.45, 0.25, 0.15, 0.05, 0.10)
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # ids that COCO's 80 classes leave out


class Blobs:
    """Star-shaped outlines: a centre, two radii, and waves along the rim."""

    def __init__(self, random):
        self.random = random

    def draw(self, centres, radii, vertices):
        n = len(centres)
        angles = numpy.linspace(0, 2 * numpy.pi, vertices, endpoint=False)[None]
        rim = numpy.ones((n, vertices))
        for wave in range(2, 6):
            rim += (self.random.normal(0, 0.25 / wave, (n, 1)) *
                    numpy.sin(wave * angles + self.random.uniform(0, 6.3, (n, 1))))
        rim = numpy.maximum(rim, 0.2)
        x = centres[:, :1] + radii[:, :1] * rim * numpy.cos(angles)
        y = centres[:, 1:] + radii[:, 1:] * rim * numpy.sin(angles)
        return numpy.stack([x, y], 2)


def shoelace(outlines):
    x, y = outlines[..., 0], outlines[..., 1]
    following = [*range(1, x.shape[1]), 0]
    return abs((x * y[:, following] - x[:, following] * y).sum(1)) / 2


def boxes_of(outlines):
    low, high = outlines.min(1), outlines.max(1)
    return numpy.concatenate([low, high - low], 1)


class Problem:
    """Writes the three files. Sizes and classes are spread like those of val2017."""

    def __init__(self, folder, seed=5, images=IMAGES):
        self.folder, self.images = pathlib.Path(folder), images
        self.random = numpy.random.default_rng(seed)
        self.blobs = Blobs(self.random)
        self.ids = sorted(self.random.choice(580000, images, replace=False).tolist())
        self.categories = [i for i in range(1, 91) if i not in UNUSED]
        shares = 1 / numpy.arange(1, CLASSES + 1) ** 0.8
        shares[0] *= 4.5  # people: about three of ten objects
        self.shares = shares / shares.sum()

    def write(self):
        objects = self.spread(OBJECTS * self.images // IMAGES)
        images, annotations, boxes, masks = [], [], [], []
        for index, image_id in enumerate(self.ids):
            width, height = SIZES[self.random.choice(len(SIZES), p=SHARES)]
            images.append(self.image(image_id, width, height))
            truths = self.truths(int(objects[index]), width, height)
            for truth in truths:
                annotations.append(self.annotation(len(annotations), image_id, width, height, *truth))
            self.detect(image_id, width, height, truths, boxes, masks)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store("instances.json", {
            "info": {"description": "generated"}, "licenses": [{"id": 1, "name": "none", "url": ""}], "images": images,
            "annotations": annotations,
            "categories": [{"supercategory": "thing", "id": i, "name": f"class {i}"} for i in self.categories]})
        self.store("bbox.json", boxes)
        self.store("segm.json", masks)

    def spread(self, total):
        """Objects an image: a few images have none, some have dozens."""
        weights = self.random.gamma(0.9, 1, self.images)
        counts = numpy.floor(weights / weights.sum() * total).astype(int)
        counts[:total - counts.sum()] += 1
        return counts

    def truths(self, count, width, height):
        kinds = self.random.choice(CLASSES, 4, p=self.shares)  # pictures show few kinds of things
        classes = kinds[self.random.integers(0, 4, count)]
        radius = numpy.exp(self.random.normal(3.1, 1.0, count)).clip(2.5, 0.45 * min(width, height))
        stretch = numpy.exp(self.random.normal(0, 0.35, count))
        radii = numpy.stack([radius * stretch, radius / stretch], 1)
        centres = self.random.random((count, 2)) * [width, height]
        return [(int(classes[i]), centres[i], radii[i]) for i in range(count)]

    @staticmethod
    def image(image_id, width, height):
        name = f"{image_id:012}.jpg"
        return {"license": 1, "file_name": name, "coco_url": "http://images.example/val2017/" + name, "height": height,
                "width": width, "date_captured": "2013-11-14 17:02:52",
                "flickr_url": f"http://photos.example/7116/{image_id}_e9b1d9a4c6_z.jpg", "id": image_id}

    def annotation(self, number, image_id, width, height, kind, centre, radii):
        outline = self.blobs.draw(centre[None], radii[None], int(self.random.integers(12, 60)))
        outline = outline.clip([0, 0], [width, height]).round(2)
        segmentation = [outline[0].ravel().tolist()]
        area = float(shoelace(outline)[0])
        crowd = int(self.random.random() < 0.01)
        if crowd:
            segmentation, area = self.counts(segmentation, width, height)
        return {"segmentation": segmentation, "area": area, "iscrowd": crowd, "image_id": image_id,
                "bbox": boxes_of(outline)[0].round(2).tolist(), "category_id": self.categories[kind],
                "id": 1000 + 7 * number}

    def counts(self, polygons, width, height):
        plane = mask.decode(mask.frPyObjects(polygons, height, width))[:, :, 0].ravel("F")
        edges = numpy.flatnonzero(numpy.diff(numpy.concatenate([[0], plane, [0]])))
        edges = edges[edges < plane.size]  # a run that reaches the end needs no next one
        counts = numpy.diff(numpy.concatenate([[0], edges, [plane.size]])).tolist()
        return {"counts": counts, "size": [height, width]}, int(plane.sum())

    def detect(self, image_id, width, height, truths, boxes, masks):
        n = len(truths)
        source = self.random.integers(0, max(n, 1), DETECTIONS)
        near = (self.random.random(DETECTIONS) < min(0.6, 0.04 * n)) if n else numpy.zeros(DETECTIONS, bool)
        others = self.truths(DETECTIONS, width, height)
        kinds = numpy.array([truths[source[i]][0] if near[i] else others[i][0] for i in range(DETECTIONS)])
        centres = numpy.array([truths[source[i]][1] if near[i] else others[i][1] for i in range(DETECTIONS)])
        radii = numpy.array([truths[source[i]][2] if near[i] else others[i][2] for i in range(DETECTIONS)])
        wrong = self.random.random(DETECTIONS) < 0.15
        kinds[wrong] = self.random.choice(CLASSES, int(wrong.sum()), p=self.shares)
        jitter = self.random.gamma(1.2, 0.05, (DETECTIONS, 1))
        centres = centres + radii * jitter * self.random.normal(0, 1, (DETECTIONS, 2))
        radii = radii * numpy.exp(jitter * self.random.normal(0, 1, (DETECTIONS, 2)))
        quality = numpy.where(near & ~wrong, numpy.exp(-2 * jitter[:, 0]), 0.25)
        scores = self.random.beta(1 + 4 * quality, 1 + 4 * (1 - quality)).astype(numpy.float32)
        outlines = self.blobs.draw(centres, radii.clip(1.5, None), 48).clip([0, 0], [width, height])
        found = boxes_of(outlines).astype(numpy.float32).tolist()
        shapes = mask.frPyObjects([outline.ravel().tolist() for outline in outlines], height, width)
        for i in numpy.argsort(-scores, kind="stable"):
            head = {"image_id": image_id, "category_id": self.categories[int(kinds[i])]}
            score = float(scores[i])
            boxes.append({**head, "bbox": found[i], "score": score})
            counts = {"size": [height, width], "counts": shapes[i]["counts"].decode()}
            masks.append({**head, "segmentation": counts, "score": score})

    def store(self, name, value):
        with open(self.folder / name, "w") as file:
            file.write(json.dumps(value))
