#ifndef MRCNN_CORE_TENSOR_HPP
#define MRCNN_CORE_TENSOR_HPP

#include <type_traits>
#include <utility>
#include <vector>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor_view.hpp"

namespace mrcnn {

/// Owns the memory of a dense tensor on a backend. Elements are not initialised. Moves, does not copy.
///
/// Memory comes from `backend.allocate` and goes back through a copy of the backend that the tensor keeps, in the order
/// of the backend's work. A backend that belongs to a `Workspace` serves it from the arena.
template <class T, int Rank, class Backend>
class Tensor {
  static_assert(std::is_trivially_copyable_v<T>, "a tensor's elements are moved as bytes");

 public:
  using space_type = typename Backend::space_type;

  Tensor(const Backend& backend, const Extents<Rank>& extents) : backend_(backend) {
    detail::check_extents("Tensor", "the new tensor", extents);
    view_ = {static_cast<T*>(backend_.allocate(bytes(extents))), extents};
  }
  Tensor(Tensor&& other) noexcept : backend_(other.backend_), view_(std::exchange(other.view_, {})) {}
  Tensor& operator=(Tensor&& other) noexcept {
    if (this != &other) {
      release();
      backend_ = other.backend_;
      view_ = std::exchange(other.view_, {});
    }
    return *this;
  }
  ~Tensor() { release(); }

  const TensorView<T, Rank, space_type>& view() { return view_; }
  TensorView<const T, Rank, space_type> view() const { return view_; }
  T* data() { return view_.data(); }
  const T* data() const { return view_.data(); }
  index_t extent(int i) const { return view_.extent(i); }
  const Extents<Rank>& extents() const { return view_.extents(); }
  index_t size() const { return view_.size(); }
  const Backend& backend() const { return backend_; }

 private:
  static std::size_t bytes(const Extents<Rank>& extents) {
    return static_cast<std::size_t>(extents.size()) * sizeof(T);
  }
  void release() {
    if (view_.data() != nullptr) backend_.deallocate(view_.data(), bytes(view_.extents()));
    view_ = {};
  }

  Backend backend_;
  TensorView<T, Rank, space_type> view_;
};

/// A new tensor, not initialised: `make_tensor<float>(backend, {rows, 4})`.
template <class T, class Backend, std::size_t Rank>
auto make_tensor(const Backend& backend, const index_t (&extents)[Rank]) {
  Extents<static_cast<int>(Rank)> e{};
  for (std::size_t i = 0; i < Rank; ++i) e[static_cast<int>(i)] = extents[i];
  return Tensor<T, static_cast<int>(Rank), Backend>(backend, e);
}

/// A new tensor of these extents, not initialised.
template <class T, int Rank, class Backend>
auto make_tensor(const Backend& backend, const Extents<Rank>& extents) {
  return Tensor<T, Rank, Backend>(backend, extents);
}

/// A new tensor of rank 0, not initialised: a count that stays on the device.
template <class T, class Backend>
auto make_scalar(const Backend& backend) {
  return Tensor<T, 0, Backend>(backend, Extents<0>{});
}

/// A new tensor with a copy of host elements, which number as many as the extents say.
template <class T, class Backend, std::size_t Rank>
auto make_tensor_from(const Backend& backend, const index_t (&extents)[Rank], const std::vector<T>& elements) {
  auto tensor = make_tensor<T>(backend, extents);
  if (static_cast<index_t>(elements.size()) != tensor.size())
    throw ShapeError("make_tensor_from: " + std::to_string(elements.size()) + " elements for shape " +
                     detail::to_string(tensor.extents()));
  backend.copy_from_host(tensor.data(), elements.data(), elements.size() * sizeof(T));
  return tensor;
}

/// The elements of a dense tensor, on the host, in index order. Waits for the backend.
template <class Backend, tensor_like V>
auto to_host(const Backend& backend, const V& tensor) {
  const auto view = as_view(tensor);
  using View = std::remove_cvref_t<decltype(view)>;
  static_assert(std::same_as<typename View::layout_type, layout_right>, "mrcnn: to_host takes dense tensors");
  std::vector<typename View::value_type> elements(static_cast<std::size_t>(view.size()));
  backend.copy_to_host(elements.data(), view.data(), elements.size() * sizeof(elements[0]));
  backend.synchronize();
  return elements;
}

}  // namespace mrcnn

#endif
