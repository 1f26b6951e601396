"""The map of rooms (DESIGN section 3): what each may include, and who may use which third-party library."""

import fnmatch

PROGRAMS = ('coordinator', 'worker', 'trainer', 'shim', 'cli', 'sim')

# A room may include these, itself and what its line names. '*' in a line's name stands for a program.
COMMON = ('common/base', 'common/protocol', 'common/config', 'common/log')
MAY_INCLUDE = {
    'common/base': (),
    'common/protocol': ('common/base',),
    'common/config': ('common/base', 'common/protocol'),
    'common/log': ('common/base',),
    'common/code': ('common/base',),
    'common/rpc': COMMON,
    'shim': ('common/base',),
    '*/core': ('common/base', 'common/protocol'),
    'coordinator/store': COMMON + ('coordinator/core',),
    'coordinator/record': COMMON + ('coordinator/core',),
    'coordinator/runtime': COMMON + ('common/code', 'coordinator/core', 'coordinator/record', 'coordinator/store'),
    'coordinator/rpc': COMMON + ('common/code', 'common/rpc', 'coordinator/core', 'coordinator/runtime', 'coordinator/store'),
    'coordinator/http': COMMON + ('coordinator/core', 'coordinator/runtime', 'coordinator/store'),
    'worker/process': COMMON + ('worker/core', 'shim'),  # knows a process again as the shim does
    'worker/gpu': COMMON + ('worker/core',),
    'worker/rpc': COMMON + ('common/code', 'common/rpc', 'worker/core', 'worker/runtime'),
    'worker/runtime': COMMON + ('common/code', 'worker/core', 'worker/process', 'worker/gpu'),
    'trainer/blob': COMMON + ('trainer/core',),
    'trainer/blob_s3': COMMON + ('trainer/blob',),
    'trainer/state': COMMON + ('trainer/blob',),
    'trainer/text': COMMON + ('trainer/blob', 'trainer/engine'),
    'trainer/task': COMMON + ('trainer/blob', 'trainer/state', 'trainer/text', 'trainer/engine', 'trainer/runtime'),
    'trainer/engine': COMMON + ('trainer/core', 'trainer/blob'),
    'trainer/table': COMMON + ('trainer/blob', 'trainer/engine'),
    'trainer/cuda': COMMON + ('trainer/core', 'trainer/engine'),
    'trainer/rpc': COMMON + ('common/rpc', 'trainer/core', 'trainer/runtime'),
    'trainer/program': COMMON + ('trainer/blob',),
    'trainer/runtime': COMMON + ('common/code', 'trainer/core', 'trainer/blob', 'trainer/state', 'trainer/engine', 'trainer/table', 'trainer/text', 'trainer/program'),
    'coordinator': COMMON + ('common/rpc', 'coordinator/*'),
    'worker': COMMON + ('common/rpc', 'worker/*'),
    'trainer': COMMON + ('common/rpc', 'trainer/*'),
    'cli': COMMON + ('common/rpc', 'common/code', 'cli/*'),
    'cli/*': COMMON + ('common/rpc', 'common/code', 'cli', 'cli/*'),
    'sim': COMMON + ('common/rpc', 'coordinator/*', 'worker/*', 'trainer/core', 'sim/*'),
    'sim/*': COMMON + ('common/rpc', 'coordinator/*', 'worker/*', 'trainer/core', 'sim', 'sim/*'),
}

# Headers of third-party libraries, the link names that go with them, and where under src/ they may be.
THIRD_PARTY = [
    ('gRPC and protobuf', r'(grpc|grpcpp|google/protobuf|google/rpc|coxswain)/|.*\.pb\.h$',
     r'gRPC::|protobuf::|coxswain_proto$', ('*/rpc',)),
    ('SQL', r'sqlite3\.h$|(postgresql/)?libpq', r'SQLite|PostgreSQL', ('*/store',)),
    ('Arrow', r'(arrow|parquet)/', r'coxswain_arrow', ('trainer/blob_s3', 'trainer/table')),
    ('LibTorch', r'(torch|ATen|c10|caffe2|gloo)/', r'coxswain_torch', ('trainer/engine', 'trainer/cuda')),
    ('NCCL and CUDA', r'(cuda|cuda_runtime|cuda_runtime_api|nccl)\.h$', r'CUDA::|.*nccl', ('trainer/cuda',)),
    ('yaml-cpp', r'yaml-cpp/', r'yaml-cpp', ('common/config', 'cli/output')),
    ('spdlog', r'spdlog/|fmt/', r'spdlog', ('common/log',)),
    ('CLI11', r'CLI/', r'CLI11', ('cli', 'cli/*', 'coordinator', 'worker', 'trainer', 'shim', 'sim')),
    ('libarchive', r'archive(_entry)?\.h$', r'LibArchive', ('common/code',)),
    ('PCRE2', r'pcre2\.h$', r'.*PCRE2', ('trainer/engine/tokenizer',)),
    ('cpp-httplib', r'httplib\.h$', r'.*httplib|.*HTTPLIB', ('*/http', 'trainer/blob_s3')),
    ('prometheus-cpp', r'prometheus/', r'prometheus-cpp', ('*/http',)),
]

# The rooms named rpc share conversions, whose headers name protobuf types.
MAY_LINK_PUBLICLY = {('common/rpc', 'coxswain_proto')}

# Third-party code that a pure core may not even see.
CORE_MAY_SEE = r'^[a-z0-9_]+$'  # the standard library's own headers


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def lookup(room):
    """What the room may include, or None if the map does not know it. An exact line wins."""
    if room in MAY_INCLUDE:
        return MAY_INCLUDE[room]
    for pattern, allowed in MAY_INCLUDE.items():
        if '*' in pattern and fnmatch.fnmatchcase(room, pattern):
            return allowed
    return None


def is_core(room):
    return room.endswith('/core')
