// GraphSymbol: what stands behind a symbolic tensor of a trace.
//
//   tensor.symbol()->Describe();  // "%12 = relu : f32[16,10]"
//
// A symbol outlives its trace, so that a leaked one can say where it came from; it belongs to
// nobody then, and using it is an error.
//
// Thread rules: constant, but for the end of its trace, which may be seen by any thread.
#ifndef TANDEM_GRAPH_TRACE_GRAPH_SYMBOL_H_
#define TANDEM_GRAPH_TRACE_GRAPH_SYMBOL_H_

#include <atomic>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

// Which trace a symbol belongs to, and whether that trace is still there.
class TraceIdentity : public RefCounted {
 public:
  // `is_body`: the trace is that of a function which becomes a body of control flow.
  TraceIdentity(std::string name, Interpreter* interpreter, bool is_body = false)
      : name_(std::move(name)), is_body_(is_body), interpreter_(interpreter) {}
  const std::string& name() const { return name_; }
  bool is_body() const { return is_body_; }
  // Null once the trace is finished.
  Interpreter* interpreter() const { return interpreter_.load(std::memory_order_acquire); }
  void Open(Interpreter* interpreter) {
    interpreter_.store(interpreter, std::memory_order_release);
  }
  void Finish() { interpreter_.store(nullptr, std::memory_order_release); }

 private:
  const std::string name_;
  const bool is_body_;
  std::atomic<Interpreter*> interpreter_;
};

class GraphSymbol : public Symbol {
 public:
  // What a symbol says of itself.
  struct Origin {
    std::string name;      // "%12"
    std::string producer;  // "relu", "argument"
    TensorSpec spec;
    std::string block;     // "lenet0/conv0"
    std::string location;  // "lenet.cc:42"
  };

  GraphSymbol(Ref<TraceIdentity> trace, ValueId value, Origin origin)
      : trace_(std::move(trace)), value_(value), origin_(std::move(origin)) {}

  const TraceIdentity& trace() const { return *trace_; }
  ValueId value() const { return value_; }
  const Origin& origin() const { return origin_; }

  std::string Describe() const override;
  std::string name() const override { return origin_.name; }
  absl::Status ValueError(absl::string_view what) const override;
  Interpreter* interpreter() const override { return trace_->interpreter(); }

 private:
  // " (made by relu in block lenet0 at lenet.cc:42)"
  std::string MadeBy() const;

  const Ref<TraceIdentity> trace_;
  const ValueId value_;
  const Origin origin_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_TRACE_GRAPH_SYMBOL_H_
