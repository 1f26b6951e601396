#!/usr/bin/env python3
"""Writes wine.csv beside this file: the wine recognition data (UCI, CC BY 4.0) as scikit-learn's wheel has it.

Needs pip and a way to the package index, or a wheel: tabular_wine.py [WHEEL].
"""
import csv
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile

NAMES = ("alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids nonflavanoid_phenols "
         "proanthocyanins color_intensity hue od280_od315 proline").split()
INSIDE = "sklearn/datasets/data/wine_data.csv"


def wheel_in(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
                    "--disable-pip-version-check", "-d", folder, "scikit-learn"], check=True)
    (wheel,) = pathlib.Path(folder).glob("*.whl")
    return wheel


def main():
    with tempfile.TemporaryDirectory() as folder:
        wheel = sys.argv[1] if len(sys.argv) > 1 else wheel_in(folder)
        with zipfile.ZipFile(wheel) as archive:
            rows = list(csv.reader(io.StringIO(archive.read(INSIDE).decode())))[1:]  # the first one counts
    target = pathlib.Path(__file__).with_name("wine.csv")
    with open(target, "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*NAMES, "class"])
        writer.writerows([*row[:-1], f"cultivar {int(row[-1]) + 1}"] for row in rows)
    print(f"{target}: {len(rows)} rows")


main()
