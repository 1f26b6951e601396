"""sklearn_mlp.py FOLDER SPLITS: scikit-learn's own MLP on its own tables. For each set and split it writes
FOLDER/SET-N-train.csv and -test.csv, and prints {"set", "split", "regression", "score", "rows"} as a JSON line;
score: accuracy, or R2, on the test rows."""
import csv
import json
import pathlib
import sys
import warnings

from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SETS = {"wine": datasets.load_wine, "breast_cancer": datasets.load_breast_cancer, "digits": datasets.load_digits,
        "diabetes": lambda: datasets.load_diabetes(scaled=False)}
SETTINGS = {"hidden_layer_sizes": (100,), "solver": "adam", "learning_rate_init": 1e-3, "alpha": 0.0, "max_iter": 200,
            "batch_size": 32, "n_iter_no_change": 10_000}


def write(path, names, rows, targets):
    with open(path, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([*names, "target"])
        writer.writerows([*map(float, row), target] for row, target in zip(rows, targets))


def main():
    warnings.simplefilter("ignore")  # of not having converged: 200 epochs are the agreement
    folder, splits = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    for name, load in SETS.items():
        data = load()
        regression = name == "diabetes"
        for split in range(splits):
            x, test_x, y, test_y = train_test_split(data.data, data.target, test_size=0.25, random_state=split,
                                                    stratify=None if regression else data.target)
            for part, rows, targets in (("train", x, y), ("test", test_x, test_y)):
                write(folder / f"{name}-{split}-{part}.csv", data.feature_names, rows, targets)
            if regression:
                model = TransformedTargetRegressor(MLPRegressor(random_state=split, **SETTINGS), transformer=StandardScaler())
            else:
                model = MLPClassifier(random_state=split, **SETTINGS)
            fitted = make_pipeline(StandardScaler(), model).fit(x, y)
            print(json.dumps({"set": name, "split": split, "regression": regression,
                              "score": fitted.score(test_x, test_y), "rows": len(x)}), flush=True)


main()
