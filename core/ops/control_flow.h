// Control flow: the ops cond, scan and while_loop. Their attributes are bodies (core/op/op_body.h);
// what a body takes from outside is an input of the op, after the op's own ones ("captured").
//
//   cond(pred, captured…) {then_body, else_body}
//   scan(carry…, scanned…, captured…) {body, num_carry, num_scanned}
//   while_loop(state…, captured…) {condition, body, num_state, max_iterations}
//
// They are recorded by functions of C++ (graph/trace/control_flow.h, frontends/cpp/control_flow.h).
//
// A gradient is control flow, too: that of a cond is a cond; that of a scan is a scan the other way
// round, over the carries of each step; that of a while_loop is such a scan with as many steps as the
// loop took. A scan's carries are among its results if its body gives them (input value j of the
// body as an output past the carries), otherwise they are computed again.
//
//   TANDEM_RETURN_IF_ERROR(RegisterControlFlowOps(&OpRegistry::Global()));
//
// Thread rules: register once, before other threads use the registry.
#ifndef TANDEM_CORE_OPS_CONTROL_FLOW_H_
#define TANDEM_CORE_OPS_CONTROL_FLOW_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

absl::Status RegisterControlFlowOps(OpRegistry* registry);

// --- parts of the definitions, in files of their own -----------------------------------------------

// control_flow_run.cc. Without ControlContext::outputs, a scan of at least one step finds out what its
// results are: for runners whose bodies are functions of the host.
absl::StatusOr<TensorList> ExecuteCond(ControlContext& c);
absl::StatusOr<TensorList> ExecuteScan(ControlContext& c);
absl::StatusOr<TensorList> ExecuteWhileLoop(ControlContext& c);
// control_flow_gradient.cc
absl::StatusOr<TensorList> CondGradient(VjpContext& c);
absl::StatusOr<TensorList> ScanGradient(VjpContext& c);
absl::StatusOr<TensorList> WhileLoopGradient(VjpContext& c);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_CONTROL_FLOW_H_
