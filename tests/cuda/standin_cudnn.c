/* A stand-in for cuDNN 9, for tests of placement only: every plan is found, none is carried out.
 *
 * The provider loads cuDNN by name when a session needs it, and builds convolutions from
 * "backend descriptors". All descriptors here are alike; what is asked of them is answered with
 * one plan that has no notes, no knobs and needs no workspace. All other functions return 0.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { /* cudnnBackendAttributeName_t, cudnnBackendAttributeType_t */
  KNOB_CHOICES = 302,
  NUMERICAL_NOTE = 1303,
  BEHAVIOR_NOTE = 1305,
  TYPE_INT64 = 3,
  TYPE_INT32 = 23
};

static char thing[64];

int cudnnCreate(void **out) { *out = thing; return 0; }
size_t cudnnGetVersion(void) { return 91000; }
const char *cudnnGetErrorString(int error) { return "stand-in"; }
void cudnnGetLastErrorString(char *out, size_t size) { if (size) *out = 0; }

int cudnnBackendCreateDescriptor(int type, void **out) {
  *out = calloc(1, 64);
  return *out ? 0 : 2;
}
int cudnnBackendDestroyDescriptor(void *descriptor) { free(descriptor); return 0; }
int cudnnBackendGetAttribute(void *descriptor, int name, int type, int64_t asked, int64_t *count,
                             void *out) {
  int none = name == KNOB_CHOICES || name == NUMERICAL_NOTE || name == BEHAVIOR_NOTE;
  if (count) *count = none ? 0 : 1;
  if (out && !none && asked > 0) {
    if (type == TYPE_INT64) *(int64_t *)out = 0;
    if (type == TYPE_INT32) *(int32_t *)out = 0;
  }
  return 0;
}
