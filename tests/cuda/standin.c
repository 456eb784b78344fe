/* A stand-in for the CUDA runtime, cuBLAS and the driver, for tests of placement only.
 *
 * It lets onnxruntime's CUDA provider start on a machine without a GPU: device memory is host
 * memory, copies are real, kernels are not run. Graph partitioning, Memcpy nodes, copies and
 * launches are then the provider's own; the numbers that come out are not.
 *
 * Every library is built from this file and a generated one with weak stubs that return 0 for
 * all other symbols; a version script exports only what the provider asks of that library. What
 * happens is appended to the file that STANDIN_LOG names, one event a line.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_TO_DEVICE = 1, DEVICE_TO_HOST = 2, DEVICE_TO_DEVICE = 3 };

static void note(const char *what, size_t bytes) {
  const char *path = getenv("STANDIN_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (!file) return;
  fprintf(file, "%s %zu\n", what, bytes);
  fclose(file);
}

static void copied(size_t bytes, int kind) {
  static const char *const names[] = {"H2H", "H2D", "D2H", "D2D", "ANY"};
  note(kind >= 0 && kind <= 4 ? names[kind] : "ANY", bytes);
}

/* Memory. Nothing here is a pool: the provider's arena asks for few, large blocks. */

static int allocate(void **out, size_t bytes) {
  *out = aligned_alloc(256, (bytes + 255) / 256 * 256 + 256);
  if (!*out) return 2;
  memset(*out, 0, bytes);
  return 0;
}

int cudaMalloc(void **out, size_t bytes) { return allocate(out, bytes); }
int cudaMallocHost(void **out, size_t bytes) { return allocate(out, bytes); }
int cudaHostAlloc(void **out, size_t bytes, unsigned flags) { return allocate(out, bytes); }
int cudaMallocFromPoolAsync(void **out, size_t bytes, void *pool, void *stream) {
  return allocate(out, bytes);
}
int cudaFree(void *memory) { free(memory); return 0; }
int cudaFreeHost(void *memory) { free(memory); return 0; }
int cudaFreeAsync(void *memory, void *stream) { free(memory); return 0; }
int cudaMemGetInfo(size_t *left, size_t *total) {
  *left = (size_t)6 << 30;
  *total = (size_t)8 << 30;
  return 0;
}

/* From the moment that the file exists which STANDIN_BROKEN names, the device is in a bad state:
 * 700 is an illegal memory access, after which a real device fails in every call. */
static int broken(void) {
  const char *path = getenv("STANDIN_BROKEN");
  FILE *file = path ? fopen(path, "r") : NULL;
  if (file) fclose(file);
  return file ? 700 : 0;
}

int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) {
  if (broken()) return broken();
  copied(bytes, kind);
  memmove(to, from, bytes);
  return 0;
}
int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
  return cudaMemcpy(to, from, bytes, kind);
}
int cudaMemcpy2DAsync(char *to, size_t to_pitch, const char *from, size_t from_pitch,
                      size_t width, size_t height, int kind, void *stream) {
  copied(width * height, kind);
  for (size_t row = 0; row < height; row++)
    memmove(to + row * to_pitch, from + row * from_pitch, width);
  return 0;
}
int cudaMemset(void *to, int value, size_t bytes) { memset(to, value, bytes); return 0; }
int cudaMemsetAsync(void *to, int value, size_t bytes, void *stream) {
  memset(to, value, bytes);
  return 0;
}

/* The device: an ordinary one. The provider reads these properties when it starts. */

struct properties { /* cudaDeviceProp of CUDA 13, up to the last field that is set */
  char name[256], uuid[16], luid[8];
  unsigned luid_mask;
  size_t memory, shared_per_block;
  int registers_per_block, warp;
  size_t pitch;
  int threads_per_block, threads_dim[3], grid[3];
  size_t constant;
  int major, minor;
  size_t texture_alignment, texture_pitch;
  int multiprocessors;
};

/* With STANDIN_NO_DEVICE the libraries are there and the device is not. */
static int missing(void) { return getenv("STANDIN_NO_DEVICE") ? 100 : 0; }

int cudaGetDeviceCount(int *count) { *count = missing() ? 0 : 1; return missing(); }
int cudaGetDevice(int *device) { *device = 0; return missing(); }
int cudaSetDevice(int device) { return missing(); }
int cudaGetDeviceProperties(struct properties *out, int device) {
  memset(out, 0, sizeof *out);
  if (missing()) return missing();
  strcpy(out->name, "stand-in");
  out->memory = (size_t)8 << 30;
  out->shared_per_block = 48 << 10;
  out->registers_per_block = 65536;
  out->warp = 32;
  out->threads_per_block = 1024;
  for (int axis = 0; axis < 3; axis++) {
    out->threads_dim[axis] = 1024;
    out->grid[axis] = 65535;
  }
  out->major = 8;
  out->multiprocessors = 80;
  return 0;
}
int cudaDeviceGetAttribute(int *out, int attribute, int device) {
  switch (attribute) {
    case 1: *out = 1024; break;             /* threads of a block */
    case 8: case 97: *out = 48 << 10; break; /* shared memory of a block */
    case 10: *out = 32; break;              /* warp */
    case 16: *out = 80; break;              /* multiprocessors */
    case 75: *out = 8; break;               /* compute capability, major */
    default: *out = 0;
  }
  return 0;
}
int cudaDriverGetVersion(int *out) { *out = 13000; return 0; }
int cudaRuntimeGetVersion(int *out) { *out = 13000; return 0; }
const char *cudaGetErrorName(int error) { return "stand-in"; }
const char *cudaGetErrorString(int error) { return "stand-in"; }
int cudaPointerGetAttributes(void *out, const void *memory) { memset(out, 0, 24); return 0; }
int cudaGetDriverEntryPointByVersion(const char *symbol, void **out, unsigned version,
                                     unsigned long long flags, int *found) {
  *out = NULL;
  if (found) *found = 1; /* symbol not found */
  return 0;
}

/* Streams, events and handles: anything but NULL. */

static char thing[64];
static int give(void **out) { *out = thing; return 0; }
int cudaStreamCreate(void **out) { return give(out); }
int cudaStreamCreateWithFlags(void **out, unsigned flags) { return give(out); }
int cudaEventCreate(void **out) { return give(out); }
int cudaEventCreateWithFlags(void **out, unsigned flags) { return give(out); }
int cudaEventElapsedTime(float *out, void *from, void *to) { *out = 0; return 0; }
int cudaStreamIsCapturing(void *stream, int *out) { *out = 0; return 0; }
int cublasCreate_v2(void **out) { return give(out); }
int cublasLtCreate(void **out) { return give(out); }
const char *cublasGetStatusName(int status) { return "stand-in"; }
const char *cublasGetStatusString(int status) { return "stand-in"; }
int cudaStreamSynchronize(void *stream) { note("SYNC", 0); return 0; }
int cudaEventSynchronize(void *event) { note("SYNC", 0); return 0; }
int cudaDeviceSynchronize(void) { note("SYNC", 0); return 0; }

/* Kernels: known, never run. */

struct size3 { unsigned x, y, z; };
static struct { struct size3 grid, block; size_t shared; void *stream; } call;

void **__cudaRegisterFatBinary(void *binary) { return (void **)thing; }
int __cudaGetKernel(void **kernel, const void *function) {
  *kernel = (void *)function;
  return 0;
}
unsigned __cudaPushCallConfiguration(struct size3 grid, struct size3 block, size_t shared,
                                     void *stream) {
  call.grid = grid; call.block = block; call.shared = shared; call.stream = stream;
  return 0;
}
int __cudaPopCallConfiguration(struct size3 *grid, struct size3 *block, size_t *shared,
                               void **stream) {
  *grid = call.grid; *block = call.block; *shared = call.shared; *stream = call.stream;
  return 0;
}
int cudaLaunchKernel(const void *kernel, struct size3 grid, struct size3 block, void **arguments,
                     size_t shared, void *stream) {
  note("LAUNCH", 0);
  return 0;
}
int __cudaLaunchKernel(void *kernel, struct size3 grid, struct size3 block, void **arguments,
                       size_t shared, void *stream) {
  note("LAUNCH", 0);
  return 0;
}
int cudaLaunchKernelExC(const void *configuration, const void *function, void **arguments) {
  note("LAUNCH", 0);
  return 0;
}
int cudaFuncGetAttributes(void *out, const void *function) {
  memset(out, 0, 48);
  ((int *)out)[6] = 1024; /* threads of a block, behind three sizes */
  return 0;
}
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *out, const void *function,
                                                           int block, size_t shared,
                                                           unsigned flags) {
  *out = 1;
  return 0;
}
