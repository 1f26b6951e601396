"""A program for `spec.command` that counts steps and needs nothing but Python. Rank 0 saves every --save-every steps, and all stop at SIGTERM."""
import argparse
import json
import os
import signal
import socket
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--save-every", type=int, default=50)
parser.add_argument("--every-rank", action="store_true", help="each rank saves a file of its own")
parser.add_argument("--fail-at", type=int, help="rank 1 ends with code 3 after this step")
options = parser.parse_args()

rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
say = open(os.environ["COXSWAIN_METRICS"], "a", buffering=1)
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))

# Everybody finds rank 0 where the environment says.
address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
if rank == 0:
    with socket.create_server(address) as server:
        for _ in range(world - 1):
            server.accept()
else:
    for _ in range(500):
        try:
            socket.create_connection(address).close()
            break
        except OSError:
            time.sleep(0.02)
    else:
        sys.exit("rank 0 is not there")

step = saved = 0
resume = os.environ.get("COXSWAIN_RESUME_DIR")
if resume:
    step = json.load(open(f"{resume}/state.json"))["step"]
    if options.every_rank:
        step = json.load(open(f"{resume}/rank-{rank}.json"))["step"]
    own = json.load(open(f"{resume}/own.json"))["rank"]
    assert own == (rank if options.every_rank else 0), own
    print(f"rank {rank}: going on from step {step}", flush=True)


def save():
    global saved
    saved = step
    folder = f"{os.environ['COXSWAIN_CHECKPOINT_DIR']}/step-{step}"
    os.makedirs(folder)
    if rank == 0:
        json.dump({"step": step}, open(f"{folder}/state.json", "w"))
    json.dump({"step": step}, open(f"{folder}/rank-{rank}.json", "w"))
    json.dump({"rank": rank}, open(f"{folder}/own.json", "w"))
    print(json.dumps({"step": step, "checkpoint": folder}), file=say)


saves = rank == 0 or options.every_rank
while step < options.steps and not stop:
    time.sleep(0.01)
    step += 1
    print(json.dumps({"step": step, "loss": 1 / step, "total_steps": options.steps}), file=say)
    if saves and step % options.save_every == 0:
        save()
    if step == options.fail_at and rank == 1:
        print("this is the last line", flush=True)
        sys.exit(3)

if saves and stop and step > saved:
    save()
