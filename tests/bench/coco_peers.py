#!/usr/bin/env python3
"""Times our COCO evaluation beside hotcoco, faster-coco-eval and pycocotools on a problem as large as val2017.

    coco_peers.py --program coco_bench --data FOLDER [--rounds 5] [--pycocotools-rounds 1] [--threads 1 2]
                  [--types bbox segm] [--systems ours hotcoco ...] [--json FILE] [--generate]

Makes the problem (seeded) in FOLDER unless it is there: 5,000 pictures, 36,000 objects of 80 classes as polygons,
crowds as run lengths, 100 detections a picture with boxes and with masks as compressed run lengths. Every measurement
is a process of its own, which reports the seconds of its parts and its peak memory; the systems take turns, `rounds`
times. The 12 numbers must agree between all. Prints a table for docs/benchmarks.md: medians, and what they are to ours.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

FILES = ("instances.json", "bbox.json", "segm.json")


def child_hotcoco(files, iou_type):
    from hotcoco import COCO, COCOeval
    return run_python(COCO, COCOeval, files, iou_type)


def child_faster(files, iou_type):
    from faster_coco_eval import COCO, COCOeval_faster
    return run_python(COCO, COCOeval_faster, files, iou_type)


def child_pycocotools(files, iou_type):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    return run_python(COCO, COCOeval, files, iou_type)


def run_python(coco, coco_eval, files, iou_type):
    begin = time.perf_counter()
    truth = coco(files[0])
    annotations = time.perf_counter()
    found = truth.loadRes(files[1])
    results = time.perf_counter()
    evaluation = coco_eval(truth, found, iou_type)
    evaluation.evaluate()
    matched = time.perf_counter()
    evaluation.accumulate()
    evaluation.summarize()
    end = time.perf_counter()
    return {"annotations": annotations - begin, "results": results - annotations, "evaluate": end - results,
            "match": matched - results, "stats": [float(value) for value in evaluation.stats]}


CHILDREN = {"hotcoco": child_hotcoco, "faster-coco-eval": child_faster, "pycocotools": child_pycocotools}


def child(name, iou_type, folder):
    files = [str(pathlib.Path(folder) / "instances.json"), str(pathlib.Path(folder) / f"{iou_type}.json")]
    shown = os.dup(1)
    os.dup2(2, 1)  # what the systems print is not ours to read
    report = CHILDREN[name](files, iou_type)
    sys.stdout.flush()
    os.dup2(shown, 1)
    report["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(report), flush=True)


def command_of(system, iou_type, threads, arguments):
    if system == "ours":
        return [arguments.program, "--data", arguments.data, "--iou-type", iou_type, "--threads", str(threads)]
    return [sys.executable, os.path.abspath(__file__), "--child", system, "--types", iou_type, "--data", arguments.data]


def measure(system, iou_type, threads, arguments):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads),
                   "OPENBLAS_NUM_THREADS": "1"}  # numpy's idle threads would spin
    done = subprocess.run(command_of(system, iou_type, threads, arguments), env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{system} {iou_type}: ended with {done.returncode}\n{done.stderr[-2000:]}")
    report = json.loads(done.stdout.splitlines()[-1])
    report["total"] = report["annotations"] + report["results"] + report["evaluate"]
    return report


def plan(arguments):
    """(system, threads, rounds), in the order of a round."""
    kinds = []
    for threads in arguments.threads:
        kinds += [("ours", threads, arguments.rounds), ("hotcoco", threads, arguments.rounds)]
    kinds += [("faster-coco-eval", 1, arguments.rounds), ("pycocotools", 1, arguments.pycocotools_rounds)]
    return [kind for kind in kinds if kind[0] in arguments.systems and kind[2] > 0]


def check(iou_type, reports):
    """The 12 numbers of all systems. pycocotools decides where it ran; ours must have its bits."""
    stats = {system: runs[0]["stats"] for (system, _), runs in reports.items()}
    reference = stats.get("pycocotools") or stats.get("hotcoco") or next(iter(stats.values()))
    for (system, threads), runs in reports.items():
        for run in runs:
            apart = max(abs(a - b) for a, b in zip(run["stats"], reference))
            if apart > 1e-9 or (system == "ours" and "pycocotools" in stats and apart != 0):
                sys.exit(f"{iou_type}: {system} with {threads} threads finds {run['stats']}, expected {reference}")


def medians(runs):
    return {part: statistics.median(run[part] for run in runs)
            for part in ("annotations", "results", "evaluate", "total", "peak")}


def table(iou_type, reports):
    rows = []
    for (system, threads), runs in reports.items():
        row = {"type": iou_type, "system": system, "threads": threads, "rounds": len(runs), **medians(runs)}
        own = reports.get(("ours", threads))
        if own and system != "ours":
            row["times_total"] = row["total"] / medians(own)["total"]
            row["times_evaluate"] = row["evaluate"] / medians(own)["evaluate"]
        rows.append(row)
    return rows


def show(rows):
    print("| | system | threads | annotations | results | evaluate | in all | peak | evaluate / ours | in all / ours |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        times = [f"{row[name]:.2f}x" if name in row else "" for name in ("times_evaluate", "times_total")]
        seconds = [f"{row[name]:.3f} s" for name in ("annotations", "results", "evaluate", "total")]
        cells = [row["type"], row["system"], str(row["threads"]), *seconds, f"{row['peak'] / 1e6:.0f} MB", *times]
        print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program")
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pycocotools-rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, nargs="*", default=sorted({1, len(os.sched_getaffinity(0))}))
    parser.add_argument("--types", nargs="*", default=["bbox", "segm"])
    parser.add_argument("--systems", nargs="*", default=["ours", *CHILDREN])
    parser.add_argument("--json")
    parser.add_argument("--generate", action="store_true", help="make the problem and end")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.types[0], arguments.data)
        return
    if not all((pathlib.Path(arguments.data) / name).is_file() for name in FILES):
        print("making the problem", flush=True)
        import coco_problem  # not at the top: a child that measures must not load what it needs not
        coco_problem.Problem(arguments.data).write()
    if arguments.generate:
        return
    rows = []
    for iou_type in arguments.types:
        reports = {}
        kinds = plan(arguments)
        for turn in range(max(rounds for _, _, rounds in kinds)):
            for system, threads, rounds in kinds:
                if turn < rounds:
                    reports.setdefault((system, threads), []).append(measure(system, iou_type, threads, arguments))
        check(iou_type, reports)
        rows += table(iou_type, reports)
    print(f"5,000 pictures, 36,000 objects, 80 classes, 100 detections a picture; {platform.machine()}, "
          f"{len(os.sched_getaffinity(0))} cores; medians of {arguments.rounds} rounds in turn")
    show(rows)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
