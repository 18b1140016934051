// ElementwiseProgram::Compile: from SSA values to instructions, slots and registers.

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/cpu/elementwise_program.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {
namespace {

// An operation of the tile machine, or one of the cases that FindTileFn does not know.
enum class Kind : uint8_t { kInput, kConstant, kCast, kRound, kBitcast, kOp };

struct Value {
  Kind kind;
  TileOp op = TileOp::kAdd;
  ScalarType type;          // of the result
  ScalarType operand_type;  // of the function to look up
  int operands[3] = {-1, -1, -1};
  bool needed = false;
  bool uniform = false;
  int last_use = -1;  // index of the last value that reads it
  int slot = -1;      // where it is found
};

int64_t WidthOf(ScalarType type) {
  switch (type) {
    case ScalarType::kF32:
    case ScalarType::kI32:
      return 4;
    case ScalarType::kF64:
    case ScalarType::kI64:
      return 8;
    case ScalarType::kBool:
      break;
  }
  return 1;
}

TileOp TileOpOf(ScalarOp op) {
  switch (op) {
#define TANDEM_SAME(name) \
  case ScalarOp::name:    \
    return TileOp::name
    TANDEM_SAME(kAdd);
    TANDEM_SAME(kSub);
    TANDEM_SAME(kMul);
    TANDEM_SAME(kDiv);
    TANDEM_SAME(kRem);
    TANDEM_SAME(kFma);
    TANDEM_SAME(kNeg);
    TANDEM_SAME(kAbs);
    TANDEM_SAME(kSqrt);
    TANDEM_SAME(kFloor);
    TANDEM_SAME(kCeil);
    TANDEM_SAME(kTrunc);
    TANDEM_SAME(kRint);
    TANDEM_SAME(kExp);
    TANDEM_SAME(kExpm1);
    TANDEM_SAME(kLog);
    TANDEM_SAME(kLog1p);
    TANDEM_SAME(kSin);
    TANDEM_SAME(kCos);
    TANDEM_SAME(kTanh);
    TANDEM_SAME(kAnd);
    TANDEM_SAME(kOr);
    TANDEM_SAME(kXor);
    TANDEM_SAME(kShl);
    TANDEM_SAME(kShr);
    TANDEM_SAME(kNot);
    TANDEM_SAME(kLt);
    TANDEM_SAME(kLe);
    TANDEM_SAME(kEq);
    TANDEM_SAME(kNe);
#undef TANDEM_SAME
    default:
      return TileOp::kSelect;
  }
}

// About how many additions an operation costs.
int64_t CostOf(const Value& value) {
  if (value.kind != Kind::kOp) return 1;
  switch (value.op) {
    case TileOp::kExp:
    case TileOp::kExpm1:
    case TileOp::kLog:
    case TileOp::kLog1p:
    case TileOp::kTanh:
      return 8;
    case TileOp::kSin:
    case TileOp::kCos:
    case TileOp::kRem:
      return 16;
    case TileOp::kDiv:
    case TileOp::kSqrt:
      return 3;
    default:
      return 1;
  }
}

uint64_t ConstantBits(const ScalarInstruction& i) {
  uint64_t bits = 0;
  const auto store = [&](auto value) { std::memcpy(&bits, &value, sizeof(value)); };
  switch (i.type) {
    case ScalarType::kF32:
      store(static_cast<float>(i.constant));
      break;
    case ScalarType::kF64:
      store(i.constant);
      break;
    case ScalarType::kI32:
      store(static_cast<int32_t>(i.integer));
      break;
    case ScalarType::kI64:
      store(i.integer);
      break;
    case ScalarType::kBool:
      store(static_cast<uint8_t>(i.constant != 0));
      break;
  }
  return bits;
}

}  // namespace

class ElementwiseProgram::Compiler {
 public:
  Compiler(const ScalarExpr& expr, uint64_t uniform_inputs, Isa isa)
      : expr_(expr),
        uniform_inputs_(uniform_inputs),
        isa_(isa),
        program_(Ref<ElementwiseProgram>(new ElementwiseProgram)) {}

  absl::StatusOr<Ref<const ElementwiseProgram>> Compile() {
    if (expr_.outputs.size() > kMaxOutputs) {
      return absl::UnimplementedError(
          absl::StrCat("elementwise: a program has at most ", kMaxOutputs, " outputs; split it"));
    }
    Translate();
    FindNeeded();
    LayOut();
    for (size_t i = 0; i < values_.size(); ++i) {
      if (values_[i].needed) TANDEM_RETURN_IF_ERROR(Emit(static_cast<int>(i)));
    }
    TANDEM_RETURN_IF_ERROR(EmitOutputs());
    return Finish();
  }

 private:
  // Uniforms and registers get numbers from here on until it is known how many slots come before
  // them: inputs, outputs and constants. An instruction makes at most two uniforms (its value, and
  // that as it is stored) or four registers (its value and three operands), an output one uniform.
  static constexpr int kFirstUniform = 1 << 14;
  static constexpr int kFirstRegister = 1 << 15;
  static constexpr size_t kMaxOutputs = 1024;
  static_assert(ScalarExpr::kMaxInputs + ScalarExpr::kMaxInstructions + kMaxOutputs <=
                kFirstUniform);
  static_assert(2 * ScalarExpr::kMaxInstructions + kMaxOutputs <= kFirstRegister - kFirstUniform);
  static_assert(4 * ScalarExpr::kMaxInstructions <= (1 << 16) - kFirstRegister);

  void Translate();
  bool MatchMaxMin(const ScalarInstruction& select, Value* value) const;
  void FindNeeded();
  // An input given out as it is, without a conversion to its compute type and back.
  bool IsCopy(const ScalarExpr::Output& output) const {
    const ScalarInstruction& i = expr_.instructions[output.value];
    return i.op == ScalarOp::kInput && i.dtype == output.dtype;
  }
  void LayOut();
  absl::Status Emit(int index);
  absl::Status EmitOutputs();
  absl::StatusOr<Ref<const ElementwiseProgram>> Finish();

  int NewRegister(int64_t width);
  void FreeRegister(const Value& value) {
    if (value.slot >= kFirstRegister) free_.push_back(value.slot);
  }
  int RegisterWidth(int slot) const { return register_widths_[slot - kFirstRegister]; }
  int NewSlotFor(const Value& value) {
    return value.uniform ? kFirstUniform + program_->num_uniforms_++
                         : NewRegister(WidthOf(value.type));
  }
  void Append(bool uniform, TileFn fn, int a, int b, int c, int out) {
    const auto slot = [](int s) { return static_cast<uint16_t>(std::max(s, 0)); };
    (uniform ? program_->once_ : program_->body_)
        .push_back({fn, slot(a), slot(b), slot(c), slot(out)});
  }

  const ScalarExpr& expr_;
  const uint64_t uniform_inputs_;
  const Isa isa_;
  Ref<ElementwiseProgram> program_;
  std::vector<Value> values_;
  std::vector<int64_t> register_widths_;
  std::vector<int> free_;  // registers that hold nothing any more
};

// max and min are composed of four operations, so that every device has them; here they are one.
bool ElementwiseProgram::Compiler::MatchMaxMin(const ScalarInstruction& select,
                                               Value* value) const {
  const std::vector<ScalarInstruction>& all = expr_.instructions;
  const int x = select.b, y = select.c;
  const auto is_nan = [&](int i) {
    return all[i].op == ScalarOp::kNe && all[i].a == x && all[i].b == x;
  };
  int compare = select.a;
  if (IsFloating(select.type)) {
    const ScalarInstruction& either = all[select.a];
    if (either.op != ScalarOp::kOr) return false;
    if (is_nan(either.b)) {
      compare = either.a;
    } else if (is_nan(either.a)) {
      compare = either.b;
    } else {
      return false;
    }
  }
  if (select.type == ScalarType::kBool || all[compare].op != ScalarOp::kLt) return false;
  if (all[compare].a == y && all[compare].b == x) {
    value->op = TileOp::kMax;
  } else if (all[compare].a == x && all[compare].b == y) {
    value->op = TileOp::kMin;
  } else {
    return false;
  }
  value->operands[0] = x;
  value->operands[1] = y;
  return true;
}

void ElementwiseProgram::Compiler::Translate() {
  for (const ScalarInstruction& i : expr_.instructions) {
    Value value{.kind = Kind::kOp, .type = i.type, .operand_type = i.type};
    const int operands[3] = {i.a, i.b, i.c};
    switch (i.op) {
      case ScalarOp::kInput:
        value.kind = Kind::kInput;
        break;
      case ScalarOp::kConstant:
        value.kind = Kind::kConstant;
        break;
      case ScalarOp::kCast:
        value.kind = Kind::kCast;
        break;
      case ScalarOp::kRound:
        value.kind = Kind::kRound;
        break;
      case ScalarOp::kBitcast:
        value.kind = Kind::kBitcast;
        break;
      default:
        value.op = TileOpOf(i.op);
        break;
    }
    if (value.kind != Kind::kInput && value.kind != Kind::kConstant) {
      std::copy(operands, operands + 3, value.operands);
      const bool matched = i.op == ScalarOp::kSelect && MatchMaxMin(i, &value);
      if (matched) value.operands[2] = -1;
      if (i.op == ScalarOp::kLt || i.op == ScalarOp::kLe || i.op == ScalarOp::kEq ||
          i.op == ScalarOp::kNe || value.kind == Kind::kCast) {
        value.operand_type = values_[i.a].type;
      }
    }
    value.uniform = value.kind == Kind::kConstant || (value.kind == Kind::kInput && i.index < 64 &&
                                                      ((uniform_inputs_ >> i.index) & 1) != 0);
    if (value.operands[0] >= 0) {
      value.uniform = true;
      for (int operand : value.operands) {
        if (operand >= 0 && !values_[operand].uniform) value.uniform = false;
      }
    }
    values_.push_back(value);
  }
}

void ElementwiseProgram::Compiler::FindNeeded() {
  const int end = static_cast<int>(values_.size());
  for (const ScalarExpr::Output& output : expr_.outputs) {
    if (IsCopy(output)) continue;
    values_[output.value].needed = true;
    values_[output.value].last_use = end;
  }
  for (int i = end - 1; i >= 0; --i) {
    if (!values_[i].needed) continue;
    for (int operand : values_[i].operands) {
      if (operand < 0) continue;
      values_[operand].needed = true;
      values_[operand].last_use = std::max(values_[operand].last_use, i);
    }
  }
}

// Inputs, outputs and constants have their slots from the start.
void ElementwiseProgram::Compiler::LayOut() {
  for (size_t i = 0; i < expr_.inputs.size(); ++i) {
    program_->inputs_.push_back(
        {DTypeSize(expr_.inputs[i]), i < 64 && ((uniform_inputs_ >> i) & 1) != 0});
  }
  for (const ScalarExpr::Output& output : expr_.outputs) {
    program_->outputs_.push_back({DTypeSize(output.dtype)});
  }
  int slot = static_cast<int>(expr_.inputs.size() + expr_.outputs.size());
  for (size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].kind != Kind::kConstant || !values_[i].needed) continue;
    program_->constants_.push_back(ConstantBits(expr_.instructions[i]));
    values_[i].slot = slot++;
  }
}

int ElementwiseProgram::Compiler::NewRegister(int64_t width) {
  for (size_t i = 0; i < free_.size(); ++i) {
    if (RegisterWidth(free_[i]) != width) continue;
    const int slot = free_[i];
    free_.erase(free_.begin() + i);
    return slot;
  }
  register_widths_.push_back(width);
  return kFirstRegister + static_cast<int>(register_widths_.size()) - 1;
}

absl::Status ElementwiseProgram::Compiler::Emit(int index) {
  Value& value = values_[index];
  const ScalarInstruction& instruction = expr_.instructions[index];
  if (value.kind == Kind::kConstant) return absl::OkStatus();
  if (value.kind == Kind::kInput) {
    const TileFn load = FindLoad(isa_, instruction.dtype);
    if (load == nullptr) {
      value.slot = instruction.index;
    } else {
      value.slot = NewSlotFor(value);
      Append(value.uniform, load, instruction.index, -1, -1, value.slot);
    }
    return absl::OkStatus();
  }

  int slots[3] = {-1, -1, -1};
  int uniform = 0;
  for (int k = 0; k < 3; ++k) {
    if (value.operands[k] < 0) continue;
    slots[k] = values_[value.operands[k]].slot;
    if (values_[value.operands[k]].uniform) uniform |= 1 << k;
  }
  // On one element there is no difference between a tile and an element.
  if (value.uniform) uniform = 0;

  // An operand's register is free for the result if this is its last use and the widths agree.
  const auto release = [&](bool same_width) {
    for (int k = 0; k < 3; ++k) {
      const int operand = value.operands[k];
      if (operand < 0 || values_[operand].last_use != index) continue;
      if (std::find(value.operands, value.operands + k, operand) != value.operands + k) continue;
      if ((WidthOf(values_[operand].type) == WidthOf(value.type)) == same_width) {
        FreeRegister(values_[operand]);
      }
    }
  };

  TileFn fn = nullptr, second = nullptr;
  switch (value.kind) {
    case Kind::kCast:
      fn = FindCast(isa_, value.operand_type, value.type);
      break;
    case Kind::kRound:
      fn = FindStore(isa_, instruction.dtype);
      second = FindLoad(isa_, instruction.dtype);
      break;
    case Kind::kBitcast:
      fn = FindCopy(isa_, WidthOf(value.type), false);
      break;
    default:
      fn = FindTileFn(isa_, value.op, value.operand_type, uniform);
      break;
  }
  // Functions that take tiles only.
  int splats[3] = {-1, -1, -1};
  if (fn == nullptr && value.kind == Kind::kOp && uniform != 0) {
    for (int k = 0; k < 3; ++k) {
      if ((uniform >> k & 1) == 0) continue;
      const int64_t width = WidthOf(values_[value.operands[k]].type);
      splats[k] = NewRegister(width);
      Append(false, FindCopy(isa_, width, true), slots[k], -1, -1, splats[k]);
      slots[k] = splats[k];
    }
    fn = FindTileFn(isa_, value.op, value.operand_type, 0);
  }
  if (value.kind == Kind::kRound && fn == nullptr) {
    // A dtype that is stored as it is calculated.
    fn = FindCopy(isa_, WidthOf(value.type), false);
    second = nullptr;
  }
  if (fn == nullptr) {
    return absl::InternalError(absl::StrCat("elementwise: no function for ",
                                            ScalarOpName(instruction.op), " on ",
                                            ScalarTypeName(value.operand_type)));
  }
  if (second != nullptr) {
    // Through a register of the storage dtype's width, which neither operand nor result may be.
    const int stored = value.uniform ? kFirstUniform + program_->num_uniforms_++
                                     : NewRegister(DTypeSize(instruction.dtype));
    Append(value.uniform, fn, slots[0], -1, -1, stored);
    release(true);
    value.slot = NewSlotFor(value);
    Append(value.uniform, second, stored, -1, -1, value.slot);
    if (!value.uniform) free_.push_back(stored);
  } else {
    release(true);
    value.slot = NewSlotFor(value);
    Append(value.uniform, fn, slots[0], slots[1], slots[2], value.slot);
  }
  release(false);
  for (int splat : splats) {
    if (splat >= 0) free_.push_back(splat);
  }
  if (!value.uniform) program_->cost_ += CostOf(value);
  return absl::OkStatus();
}

absl::Status ElementwiseProgram::Compiler::EmitOutputs() {
  const int num_inputs = static_cast<int>(expr_.inputs.size());
  // An output may lie on an input, so no output is written before the last input is read: only the
  // last instruction of all may write to an output itself.
  const bool single = expr_.outputs.size() == 1;
  for (size_t o = 0; o < expr_.outputs.size(); ++o) {
    const Value& value = values_[expr_.outputs[o].value];
    const DType dtype = expr_.outputs[o].dtype;
    const int slot = num_inputs + static_cast<int>(o);
    const TileFn store = FindStore(isa_, dtype);
    if (IsCopy(expr_.outputs[o])) {
      Append(false, FindCopy(isa_, DTypeSize(dtype), value.uniform),
             expr_.instructions[expr_.outputs[o].value].index, -1, -1, slot);
    } else if (value.uniform) {
      int from = value.slot;
      if (store != nullptr) {
        from = kFirstUniform + program_->num_uniforms_++;
        Append(true, store, value.slot, -1, -1, from);
      }
      Append(false, FindCopy(isa_, DTypeSize(dtype), true), from, -1, -1, slot);
    } else if (store != nullptr) {
      Append(false, store, value.slot, -1, -1, slot);
    } else if (single && !program_->body_.empty() && value.slot >= kFirstRegister &&
               program_->body_.back().out == value.slot) {
      program_->body_.back().out = static_cast<uint16_t>(slot);
    } else {
      Append(false, FindCopy(isa_, DTypeSize(dtype), false), value.slot, -1, -1, slot);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Ref<const ElementwiseProgram>> ElementwiseProgram::Compiler::Finish() {
  ElementwiseProgram& p = *program_;
  // Registers that are used, widest first; then all slots get their numbers.
  const int first_uniform =
      static_cast<int>(p.inputs_.size() + p.outputs_.size() + p.constants_.size());
  const int first_register = first_uniform + p.num_uniforms_;
  std::vector<int> used(register_widths_.size(), 0);
  for (const Instruction& i : p.body_) {
    for (int slot : {i.a, i.b, i.c, i.out}) {
      if (slot >= kFirstRegister) used[slot - kFirstRegister] = 1;
    }
  }
  std::vector<int> number(register_widths_.size(), 0);
  for (int64_t width : {8, 4, 2, 1}) {
    for (size_t r = 0; r < used.size(); ++r) {
      if (used[r] == 0 || register_widths_[r] != width) continue;
      number[r] = first_register + static_cast<int>(p.registers_.size());
      p.registers_.push_back(width);
      p.register_bytes_ += width;
    }
  }
  const int num_slots = first_register + static_cast<int>(p.registers_.size());
  // Inputs may have to be gathered, and outputs streamed: those need room, too.
  int64_t most_bytes = p.register_bytes_ + p.output_bytes();
  for (const Input& input : p.inputs_) most_bytes += input.bytes;
  if (num_slots > kMaxSlots || p.num_uniforms_ > kMaxUniforms ||
      most_bytes * kTileUnit > kScratchBytes) {
    return absl::UnimplementedError(
        absl::StrCat("elementwise: a program of ", expr_.instructions.size(), " instructions with ",
                     p.registers_.size(), " values alive at once is too large; split it"));
  }
  const auto renumber = [&](uint16_t* slot) {
    if (*slot >= kFirstRegister) {
      *slot = static_cast<uint16_t>(number[*slot - kFirstRegister]);
    } else if (*slot >= kFirstUniform) {
      *slot = static_cast<uint16_t>(first_uniform + *slot - kFirstUniform);
    }
  };
  for (std::vector<Instruction>* list : {&p.once_, &p.body_}) {
    for (Instruction& i : *list) {
      for (uint16_t* slot : {&i.a, &i.b, &i.c, &i.out}) renumber(slot);
    }
  }
  p.isa_ = isa_;
  p.is_copy_ = p.inputs_.size() == 1 && p.outputs_.size() == 1 && p.body_.size() == 1 &&
               p.once_.empty() && p.body_[0].a == 0 && p.registers_.empty() &&
               p.inputs_[0].bytes == p.outputs_[0].bytes && !p.inputs_[0].uniform &&
               p.body_[0].fn == FindCopy(isa_, p.inputs_[0].bytes, false);
  return Ref<const ElementwiseProgram>(std::move(program_));
}

absl::StatusOr<Ref<const ElementwiseProgram>> ElementwiseProgram::Compile(const ScalarExpr& expr,
                                                                          uint64_t uniform_inputs,
                                                                          Isa isa) {
  TANDEM_RETURN_IF_ERROR(expr.Verify());
  return Compiler(expr, uniform_inputs, isa).Compile();
}

}  // namespace tandem::cpu_backend
