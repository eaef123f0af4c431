"""Reference results of pycocotools: evaluations of small problems full of ties and oddities.

    pycocotools_evaluate.py OUTPUT [PROBLEMS [SEED]]

OUTPUT gets the numbers of all problems, one behind the other, and OUTPUT.json the problems: an array of
{"annotations", "results", "options", "text"}.
"""

import contextlib
import io
import json
import sys

import exchange

numpy, _, _ = exchange.needs("numpy", "pycocotools", "pycocotools._mask")
from pycocotools import mask as masks  # noqa: E402
from pycocotools.coco import COCO  # noqa: E402
from pycocotools.cocoeval import COCOeval  # noqa: E402

AREAS = [["all", 0, 1e10], ["small", 0, 20], ["medium", 20, 60], ["large", 60, 1e10]]


class Draw:
    """Seeded choices."""

    def __init__(self, seed):
        self.random = numpy.random.default_rng(seed)

    def chance(self, share):
        return self.random.random() < share

    def integer(self, low, high):
        return int(self.random.integers(low, high + 1))

    def number(self, low, high):
        return low + (high - low) * float(self.random.random())

    def one(self, values):
        return values[self.integer(0, len(values) - 1)]

    def some(self, values):
        return [value for value in values if self.chance(0.6)]


class Shapes:
    """Boxes and masks of one problem."""

    def __init__(self, draw):
        self.draw = draw
        self.grid = draw.chance(0.6)  # whole numbers, so that overlaps tie
        self.side = draw.integer(5, 24) if self.grid else draw.integer(8, 60)
        # Either objects or results have empty runs: where two masks have one at the same place, pycocotools' loop ends.
        self.odd_results = draw.chance(0.5)
        self.empty_runs = not self.odd_results

    def coordinate(self, low, high):
        value = self.draw.number(low, high)
        return float(round(value)) if self.grid else (round(value, 2) if self.draw.chance(0.5) else value)

    def box(self):
        if self.draw.chance(0.03):
            return self.draw.one([[0, 0, 1e-200, 1e-200], [0, 0, 1e-160, 1e-160], [1, 1, 0, 0], [3, 2, 0, 5],
                                  [4, 4, -2, 3], [4, 4, -2, -3], [-1e3, -1e3, 2e3, 2e3], [0.0, 0.0, -0.0, 3.0]])
        x, y = self.coordinate(-2, self.side), self.coordinate(-2, self.side)
        return [x, y, self.coordinate(0, self.side * 0.6), self.coordinate(0, self.side * 0.6)]

    def near(self, box):
        if self.draw.chance(0.3):
            return list(box)
        return [value + self.coordinate(-1.5, 1.5) for value in box]

    def ring(self, box):
        x, y, w, h = box
        if self.draw.chance(0.4):
            return [x, y, x, y + h, x + w, y + h, x + w, y]
        points = self.draw.integer(3, 9)
        ring = [self.coordinate(start, start + extent) for _ in range(points) for start, extent in ((x, w), (y, h))]
        return ring + [1.0] if self.draw.chance(0.03) else ring

    def polygons(self, box):
        rings = [self.ring(self.near(box) if i else box) for i in range(self.draw.one([1, 1, 1, 2, 3]))]
        if self.draw.chance(0.03):
            rings.append(self.draw.one([[], [1.0, 2.0], [1.0, 2.0, 5.0, 6.0]]))  # a later one may be short
        return rings

    def rle(self, box, height, width):
        if self.draw.chance(0.03):  # a mask of another size than its picture
            height, width = self.draw.one([(width + 1, height), (height, width + 1), (1, 1), (height + 2, width + 3)])
        return masks.merge(masks.frPyObjects([self.ring(box)], height, width))

    def counts(self, rle):
        """Run lengths as a list, here and there with empty runs."""
        plane = masks.decode(rle).ravel("F")
        runs, value = [0], 0
        for pixel in plane.tolist():
            if pixel != value:
                runs.append(0)
                value = pixel
            runs[-1] += 1
        if self.empty_runs and self.draw.chance(0.2):
            at = self.draw.integer(0, len(runs) - 1)
            first = self.draw.integer(0, runs[at])
            runs[at:at + 1] = [first, 0, runs[at] - first]
        return {"size": rle["size"], "counts": runs}

    def compressed(self, box, height, width):
        rle = self.rle(box, height, width)
        if self.draw.chance(0.1):
            rle = masks.frPyObjects(self.counts(rle), height, width)  # keeps empty runs
        return {"size": rle["size"], "counts": rle["counts"].decode()}

    def segmentation(self, box, height, width):
        kind = self.draw.integer(0, 3)
        if kind < 2:
            return self.polygons(box)
        return self.counts(self.rle(box, height, width)) if kind == 2 else self.compressed(box, height, width)


class Problem:
    """One file of annotations, results and options."""

    def __init__(self, draw):
        self.draw, self.shapes = draw, Shapes(draw)
        self.type = draw.one(["bbox", "segm"])
        self.images, self.categories = self.make_images(), self.make_categories()
        self.image_ids = [image["id"] for image in self.images]
        self.category_ids = [category["id"] for category in self.categories]
        self.annotations = self.make_annotations()
        self.results = self.make_results()

    def ids(self, count):
        start = self.draw.one([0, 1, 1, 7, -2])
        ids = [start + i for i in range(count)]
        if self.draw.chance(0.3):
            ids = [i * 1000003 for i in ids]
        if self.draw.chance(0.4):
            self.draw.random.shuffle(ids)
        if self.draw.chance(0.12) and count > 1:
            ids[self.draw.integer(0, count - 1)] = ids[self.draw.integer(0, count - 1)]
        return [int(i) for i in ids]

    def make_images(self):
        side = self.shapes.side
        return [{"id": i, "height": side + self.draw.integer(0, 2), "width": side + self.draw.integer(0, 3)}
                for i in self.ids(self.draw.integer(1, 4))]

    def make_categories(self):
        return [{"id": i, "name": f"class {i}"} for i in self.ids(self.draw.one([1, 1, 2, 2, 3, 4]))]

    def size(self, image_id):
        return [(image["height"], image["width"]) for image in self.images if image["id"] == image_id][-1]

    def make_annotations(self):
        count = self.draw.one([0, 1, 3, 6, 10, 16])
        ids = [i * 2 ** 55 + 1 for i in range(count)] if self.draw.chance(0.03) else self.ids(count)
        crowds = self.draw.one([0, 0.1, 0.3])
        annotations = []
        for number in ids:
            image_id, box = self.draw.one(self.image_ids), self.shapes.box()
            segmentation = self.shapes.segmentation(box, *self.size(image_id))
            crowd = int(self.draw.chance(crowds))
            category = self.draw.one(self.category_ids)
            annotations.append({"id": number, "image_id": image_id, "category_id": category, "bbox": box,
                                "area": self.area(box), "iscrowd": crowd, "segmentation": segmentation})
            if self.draw.chance(0.04):
                annotations[-1]["category_id"] = 4711
            if self.draw.chance(0.04) and self.type == "bbox":  # pycocotools looks up the picture of each mask
                annotations[-1]["image_id"] = 4712
            if self.draw.chance(0.1):
                annotations[-1]["ignore"] = self.draw.integer(0, 1)
        for _ in range(self.draw.integer(0, 3) if annotations and self.draw.chance(0.15) else 0):
            self.draw.one(annotations)["id"] = self.draw.one(annotations)["id"]
        return annotations

    def area(self, box):
        if self.draw.chance(0.2):
            return self.draw.one([0, 20, 60, 60.5, 1024, 1e10, 2e10, -1, 19.999999])
        return box[2] * box[3]

    def score(self):
        if self.ties:
            return self.draw.one([0, 1, 0.5, 0.25, -0.0, 0.9, 0.9, -3, 1e-300])
        return self.draw.number(0, 1)

    def make_results(self):
        """Which members the results have. The first decides how pycocotools takes the others."""
        self.ties = self.draw.chance(0.5)
        form = self.draw.one(["boxes", "boxes", "both", "mixed", "masks", "masks", "masks, some boxes"])
        self.shapes.empty_runs = self.shapes.odd_results
        count = self.draw.one([1, 3, 8, 15, 25, 40])
        if self.draw.chance(0.02):
            count = 250  # more than 100 of a picture and category
        return [self.result(form, i) for i in range(count)]

    def result(self, form, number):
        image_id, category = self.draw.one(self.image_ids), self.draw.one(self.category_ids)
        box = self.shapes.box()
        if self.annotations and self.draw.chance(0.7):
            source = self.draw.one(self.annotations)
            box = self.shapes.near(source["bbox"])
            if source["image_id"] in self.image_ids and self.draw.chance(0.9):
                image_id, category = source["image_id"], source["category_id"]
        if self.draw.chance(0.03):
            category = 4713
        result = {"image_id": image_id, "category_id": category, "score": self.score()}
        if form in ("boxes", "both", "mixed") or (form == "masks, some boxes" and number > 0 and self.draw.chance(0.5)):
            result["bbox"] = box
        if form in ("masks", "masks, some boxes"):
            result["segmentation"] = self.shapes.compressed(box, *self.size(image_id))
        elif form == "both" or (form == "mixed" and self.draw.chance(0.5)):
            result["segmentation"] = self.shapes.segmentation(box, *self.size(image_id))
        return result

    def options(self):
        options = {"iou_type": self.type}
        draw = self.draw
        if not draw.chance(0.03):  # all of them take pycocotools long
            options["iou_thresholds"] = self.iou_thresholds()
            options["recall_thresholds"] = self.recall_thresholds()
        if draw.chance(0.9):
            options["areas"] = self.areas()
        if draw.chance(0.6):
            options["max_detections"] = draw.one([[1, 2, 3], [3, 1, 2], [2, 2, 100], [0, 1, 100], [1, 1, 4, 100],
                                                  [100, 100, 100], [5, 100, 1000], [1, 3, 5], [2], [4, 100]])
        if draw.chance(0.15):
            options["image_ids"] = draw.some(self.image_ids + self.image_ids[:1] + [4714])
            if self.type == "bbox" and draw.chance(0.3):
                options["image_ids"].append(4712)  # a picture that only annotations know
        if draw.chance(0.15):
            options["category_ids"] = draw.some(self.category_ids[::-1] + self.category_ids[:1] + [4711, 4715])
        if draw.chance(0.2):
            options["class_agnostic"] = True
        return options

    def iou_thresholds(self):
        if self.draw.chance(0.05):
            return [self.draw.number(0, 1) for _ in range(self.draw.integer(11, 40))]
        return self.draw.one([[0.5], [0.5, 0.75], [0.75, 0.5], [0.3, 0.5, 0.5, 0.75, 1.0], [0.0, 0.5], [-1.0, 0.1],
                              [0.99, 1.0, 2.0], [0.1, 0.2, 0.5], [1 / 3, 0.25, 0.5], [0.5, 0.7, 0.9]])

    def recall_thresholds(self):
        if self.draw.chance(0.2):
            return [self.draw.number(0, 1) for _ in range(self.draw.integer(0, 6))]
        return self.draw.one([[0.0, 0.5, 1.0], [i / 10 for i in range(11)], [0.9, 0.1, 0.5], [0.5, 2.0, 0.1],
                              [-1.0, 0.25, 0.25, 1 / 3, 2 / 3], [1.0], [0.2, 0.4, 0.6, 0.8]])

    def areas(self):
        if self.draw.chance(0.85):
            return AREAS
        low = self.draw.number(0, 40)
        return self.draw.one([AREAS[:1], AREAS[::-1], AREAS + AREAS[:1], AREAS[1:], [["all", 30, 20]],
                              [["all", 20, 20], ["small", 0, low], ["medium", low, 60]], []])


def evaluate(problem, options):
    """The tables, the 12 numbers and the text of pycocotools; the last two are None where it can not make them."""
    truth = COCO()
    truth.dataset = problem["annotations"]
    truth.createIndex()
    run = COCOeval(truth, truth.loadRes(problem["results"]), options["iou_type"])
    if "iou_thresholds" in options:
        run.params.iouThrs = numpy.array(options["iou_thresholds"], float)
        run.params.recThrs = numpy.array(options["recall_thresholds"], float)
    if "areas" in options:
        run.params.areaRng = [area[1:] for area in options["areas"]]
        run.params.areaRngLbl = [area[0] for area in options["areas"]]
    run.params.maxDets = options.get("max_detections", run.params.maxDets)
    run.params.imgIds = options.get("image_ids", run.params.imgIds)
    run.params.catIds = options.get("category_ids", run.params.catIds)
    run.params.useCats = 0 if options.get("class_agnostic") else 1
    run.evaluate()
    run.accumulate()
    try:
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            run.summarize()
    except IndexError:  # of fewer than three numbers of detections, among others
        return run.eval, None, None
    return run.eval, run.stats, shown.getvalue()


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    tables = {name: [] for name in ("precision", "scores", "recall", "stats", "extents")}
    texts = []
    for number in range(count):
        problem = Problem(Draw([seed, number]))
        options = problem.options()
        parts = {"annotations": {"images": problem.images, "categories": problem.categories,
                                 "annotations": problem.annotations}, "results": problem.results}
        written = json.dumps(parts)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                found, stats, text = evaluate(json.loads(written), options)
        except Exception:
            print(f"problem {number}: {written} {options}", file=sys.stderr)
            raise
        texts.append(written[:-1] + ', "options": ' + json.dumps(options) + ', "text": ' + json.dumps(text) + "}")
        for name in ("precision", "scores", "recall"):
            tables[name].append(found[name].ravel())
        tables["stats"].append(numpy.zeros(12) if stats is None else stats)
        tables["extents"].append(numpy.array(found["counts"], numpy.int32))
    with open(sys.argv[1] + ".json", "w") as file:
        file.write("[" + ",\n".join(texts) + "]\n")
    exchange.save(sys.argv[1], {name: numpy.concatenate(values) for name, values in tables.items()}, {})


if __name__ == "__main__":
    main()
