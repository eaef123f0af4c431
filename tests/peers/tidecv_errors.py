"""Reference results of tidecv: kinds of errors and what each costs. Usage: tidecv_errors.py OUTPUT"""

import json
import os
import pathlib
import sys

import exchange

numpy, quantify, tidecv, masks = exchange.needs("numpy", "tidecv.quantify", "tidecv", "pycocotools.mask")
random = numpy.random.default_rng(11)
KINDS = ("BoxError", "ClassError", "DuplicateError", "OtherError", "BackgroundError", "MissedError")
FLOATS = ("object_boxes", "result_boxes", "scores", "settings", "figures")
NUMBERS = ("lengths", "pictures", "categories", "objects", "crowds", "object_runs", "object_kinds", "results",
           "result_runs", "result_kinds", "segm", "counts")
tables = {name: [] for name in FLOATS + NUMBERS}


def runs(mask):
    """Run lengths of a mask, column by column, beginning with 0."""
    pixels = numpy.concatenate([[0], mask.flatten(order="F"), [2]])
    changes = numpy.flatnonzero(numpy.diff(pixels.astype(int)))
    return numpy.diff(numpy.concatenate([[0], changes])).tolist()


def analyse(pictures, objects, results, positive, background, limit, segm):
    """pictures: (id, height, width); objects: (image, category, crowd, box, mask); results: (..., score, box, mask)."""
    truth, found = tidecv.Data("truth"), tidecv.Data("found")
    for picture in pictures:
        truth.add_image(picture[0], str(picture[0]))
    for image, category, crowd, box, rle in objects:
        (truth.add_ignore_region if crowd else truth.add_ground_truth)(image, category, box, rle)
    for image, category, score, box, rle in results:
        found.add_detection(image, category, score, box, rle)
    try:
        run = quantify.TIDERun(truth, found, positive, background, "mask" if segm else "bbox", limit)
        costs = run.fix_main_errors()
        special = run.fix_special_errors()
    except ZeroDivisionError:  # no category is left whose AP there could be
        return
    names = {error.__name__: error for error in costs}
    result_kinds, object_kinds = [-1] * len(results), [-1] * len(objects)
    for error in run.errors:
        kinds = object_kinds if type(error).__name__ == "MissedError" else result_kinds
        kinds[error.get_id()] = KINDS.index(type(error).__name__)
    tables["pictures"] += [list(picture) for picture in pictures]
    categories = sorted({o[1] for o in objects} | {r[1] for r in results})
    tables["categories"] += categories
    tables["objects"] += [o[:2] for o in objects]
    tables["crowds"] += [o[2] for o in objects]
    tables["object_boxes"] += [o[3] for o in objects]
    tables["results"] += [r[:2] for r in results]
    tables["scores"] += [r[2] for r in results]
    tables["result_boxes"] += [r[3] for r in results]
    tables["result_kinds"] += result_kinds
    tables["object_kinds"] += object_kinds
    if segm:
        for name, shapes in (("object_runs", objects), ("result_runs", results)):
            for shape in shapes:
                lengths = runs(masks.decode(shape[4]))
                tables[name] += [len(lengths), *lengths]
    tables["settings"] += [[positive, background, limit]]
    tables["segm"] += [int(segm)]
    tables["counts"] += [len(run.error_dict[names[kind]]) for kind in KINDS]
    tables["figures"] += [run.ap] + [costs[names[kind]] for kind in KINDS] + list(special.values())
    distinct = len({r[2] for r in results}) == len(results)
    tables["lengths"] += [[len(pictures), len(categories), len(objects), len(results), int(distinct)]]


def random_problem(segm):
    size = 24
    pictures = [(i + 1, size, size) for i in range(random.integers(1, 5))]
    classes = random.integers(1, 5)

    def shape(near=None):
        free = random.integers(0, 12, 4) + [0, 0, 1, 1]
        box = free if near is None else numpy.array(near) + random.integers(-1, 2, 4)
        box = numpy.clip(box, [0, 0, 1, 1], 12).astype(float)
        mask = numpy.zeros((size, size), numpy.uint8)
        x, y, w, h = box.astype(int)
        mask[y:y + h, x:x + w] = 1
        if segm:
            mask[random.integers(0, size):, random.integers(0, size):] = 0
        return box.tolist(), masks.encode(numpy.asfortranarray(mask))

    def place():
        return int(random.integers(1, len(pictures) + 1)), int(random.integers(1, classes + 1))

    objects = [(*place(), int(random.random() < 0.15), *shape()) for _ in range(random.integers(0, 15))]
    count = int(random.integers(1, 50))
    scores = random.permutation(count) / 64.0 if random.random() < 0.7 else random.integers(0, 8, count) / 8.0
    results = []
    for score in scores:
        near = objects[random.integers(len(objects))] if objects and random.random() < 0.8 else None
        image, category = place()
        if near and random.random() < 0.9:
            image = near[0]
            category = near[1] if random.random() < 0.7 else category
        results.append((image, category, float(score), *shape(near and near[3])))
    positive, background = [(0.5, 0.1), (0.75, 0.25), (0.5, 0.5)][random.integers(3)]
    analyse(pictures, objects, results, positive, background, int(random.choice([3, 10, 100])), segm)


def published_detections(folder):
    with open(folder / "instances_minival2014_100.json") as file:
        truth = json.load(file)
    sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}

    def rle(image, mask):
        if isinstance(mask, list):
            return masks.merge(masks.frPyObjects(mask, *sizes[image]))
        return masks.frPyObjects(mask, *sizes[image]) if isinstance(mask["counts"], list) else mask

    objects = [(a["image_id"], a["category_id"], a["iscrowd"], a["bbox"], rle(a["image_id"], a["segmentation"]))
               for a in truth["annotations"]]
    pictures = sorted((image, *size) for image, size in sizes.items())
    for name in ("bbox", "segmentations"):
        with open(folder / f"output_{name}_coco_2014_minival_results.json") as file:
            found = json.load(file)
        segm = name != "bbox"
        results = [(r["image_id"], r["category_id"], r["score"], r.get("bbox", [0.0] * 4),
                    rle(r["image_id"], r["segmentation"]) if segm else None) for r in found if r["image_id"] in sizes]
        analyse(pictures, objects, results, 0.5, 0.1, 100, segm)


for problem in range(600):
    random_problem(problem % 3 == 2)
shared = pathlib.Path(os.environ.get("MRCNN_SHARED") or pathlib.Path(__file__).resolve().parents[3] / "shared")
if (shared / "data/mask_rcnn_2go_int8").is_dir():
    published_detections(shared / "data/mask_rcnn_2go_int8")
arrays = {name: numpy.array(rows, numpy.float64 if name in FLOATS else numpy.int32) for name, rows in tables.items()}
exchange.save(sys.argv[1], arrays, {})
