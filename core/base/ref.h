// Intrusive reference counting: one pointer wide handles for objects shared by threads.
//
// Why not std::shared_ptr: a Tensor handle must be one word, and a raw pointer must be convertible
// back to an owning handle.
//
//   class Buffer : public RefCounted { ... };
//   Ref<Buffer> b = MakeRef<HostBuffer>(1024);
//   Ref<Buffer> same = RefFrom(b.get());
//
// Thread rules: the count is atomic; a single Ref object is not.
#ifndef TANDEM_CORE_BASE_REF_H_
#define TANDEM_CORE_BASE_REF_H_

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace tandem {

class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  virtual ~RefCounted() = default;

  // True if exactly one Ref points here: whoever holds it may reuse the object.
  bool unique() const { return count_.load(std::memory_order_acquire) == 1; }

 private:
  template <typename T>
  friend class Ref;
  void AddRef() const { count_.fetch_add(1, std::memory_order_relaxed); }
  void Release() const {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  mutable std::atomic<int32_t> count_{0};
};

// Owning handle; null by default.
template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  explicit Ref(T* object) : object_(object) { Acquire(); }
  Ref(const Ref& other) : object_(other.object_) { Acquire(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U*, T*>>>
  Ref(const Ref<U>& other) : object_(other.get()) {  // NOLINT(google-explicit-constructor)
    Acquire();
  }
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U*, T*>>>
  Ref(Ref<U>&& other) noexcept : object_(other.release()) {}  // NOLINT(google-explicit-constructor)
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  // Takes over an ownership that release() gave up.
  static Ref Adopt(T* object) {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  ~Ref() {
    if (object_ != nullptr) static_cast<const RefCounted*>(object_)->Release();
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.object_ == b.object_; }
  friend bool operator==(const Ref& a, std::nullptr_t) { return a.object_ == nullptr; }

  // Gives up ownership without releasing; Adopt takes it over.
  T* release() { return std::exchange(object_, nullptr); }

 private:
  void Acquire() {
    if (object_ != nullptr) static_cast<const RefCounted*>(object_)->AddRef();
  }

  T* object_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> MakeRef(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

// Another owning handle of an object that is already owned by a Ref.
template <typename T>
Ref<T> RefFrom(T* object) {
  return Ref<T>(object);
}

}  // namespace tandem

#endif  // TANDEM_CORE_BASE_REF_H_
