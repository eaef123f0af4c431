#include "mrcnn/models/unmold.hpp"

#include <doctest/doctest.h>

using namespace mrcnn;

namespace {

// Spec 11.1: a picture of 480 x 640, molded to 1024 with the window rows 128 .. 896.
const LetterboxPlan plan = plan_letterbox(480, 640, {});

}  // namespace

TEST_CASE("unmold_box: the spec's example, legacy: scaled by 0.625 and cut off") {
  CHECK(unmold_box(Profile::matterport_legacy, {200, 300, 450, 500}, plan) == Box{125, 107, 281, 232});
}

TEST_CASE("unmold_box: the spec's example, modern: through the normalised window, rounded") {
  const Box normalised{200.0F / 1023, 300.0F / 1023, 449.0F / 1023, 499.0F / 1023};
  CHECK(unmold_box(Profile::matterport_modern, normalised, plan) == Box{125, 107, 281, 233});
}

TEST_CASE("unmold_box: the window is the whole picture") {
  CHECK(unmold_box(Profile::matterport_legacy, plan.window(), plan) == Box{0, 0, 640, 480});
  CHECK(unmold_box(Profile::matterport_modern, detection_window(Profile::matterport_modern, plan), plan) ==
        Box{0, 0, 640, 480});
}

TEST_CASE("unmold_box: a picture of one pixel") {
  const LetterboxPlan pixel = plan_letterbox(1, 1, {});
  for (const Profile profile : {Profile::matterport_legacy, Profile::matterport_modern})
    CHECK(unmold_box(profile, detection_window(profile, pixel), pixel) == Box{0, 0, 1, 1});
}

TEST_CASE("ProfileFrames: what each profile means") {
  const ProfileFrames legacy(Profile::matterport_legacy, 512, 1024);
  CHECK(legacy.anchors == BoxFrame::pixels);
  CHECK(legacy.clip == Box{0, 0, 1024, 512});
  CHECK(legacy.proposal_scale_x == 1024);
  CHECK(legacy.round_detections);
  const ProfileFrames modern(Profile::matterport_modern, 512, 1024);
  CHECK(modern.anchors == BoxFrame::size_minus_one);
  CHECK(modern.clip == Box{0, 0, 1, 1});
  CHECK(!modern.round_detections);
}
