#include "tandem/backends/vulkan/programs/pipeline_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/atomic_file.h"
#include "tandem/core/base/crc32c.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr uint32_t kVersion = 1;
// Larger files are not ours: drivers keep some kilobytes a pipeline.
constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

// Before the driver's data; all numbers little-endian.
struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t vendor_id;
  uint32_t device_id;
  uint32_t driver_version;
  uint8_t uuid[VK_UUID_SIZE];
  uint64_t data_bytes;
  uint32_t data_crc;
  uint32_t header_crc;  // of all before it
};
static_assert(sizeof(FileHeader) == 56);

constexpr char kMagic[8] = {'T', 'D', 'M', 'V', 'K', 'P', 'C', '\n'};

FileHeader HeaderFor(const PhysicalDevice& physical, absl::string_view data) {
  FileHeader header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.vendor_id = physical.vendor_id;
  header.device_id = physical.device_id;
  header.driver_version = physical.driver_version;
  std::memcpy(header.uuid, physical.pipeline_cache_uuid, VK_UUID_SIZE);
  header.data_bytes = data.size();
  header.data_crc = Crc32c(data.data(), data.size());
  header.header_crc = Crc32c(&header, offsetof(FileHeader, header_crc));
  return header;
}

// What the specification says every driver's data begins with.
absl::Status CheckDriverHeader(const PhysicalDevice& physical, absl::string_view data) {
  VkPipelineCacheHeaderVersionOne header;
  if (data.size() < sizeof(header)) {
    return absl::DataLossError(absl::StrCat(data.size(), " bytes of the driver's data"));
  }
  std::memcpy(&header, data.data(), sizeof(header));
  if (header.headerSize < sizeof(header) || header.headerSize > data.size() ||
      header.headerVersion != VK_PIPELINE_CACHE_HEADER_VERSION_ONE ||
      header.vendorID != physical.vendor_id || header.deviceID != physical.device_id ||
      std::memcmp(header.pipelineCacheUUID, physical.pipeline_cache_uuid, VK_UUID_SIZE) != 0) {
    return absl::DataLossError("the driver's header is of another device");
  }
  return absl::OkStatus();
}

absl::Status FileError(absl::string_view what, absl::string_view path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("pipeline cache: cannot ", what, " ", path));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return FileError("open", path);
  struct stat info = {};
  if (::fstat(file.fd(), &info) != 0) return FileError("read", path);
  if (!S_ISREG(info.st_mode) || info.st_size > kMaxFileBytes) {
    return absl::DataLossError(
        absl::StrCat("pipeline cache: ", path, " is no file of at most ", kMaxFileBytes, " bytes"));
  }
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(file.fd(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("read", path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

std::string PathOf(const PhysicalDevice& physical, const std::string& directory) {
  if (directory.empty()) return "";
  const absl::string_view uuid(reinterpret_cast<const char*>(physical.pipeline_cache_uuid),
                               VK_UUID_SIZE);
  return absl::StrCat(directory, "/tandem-vulkan-", absl::Hex(physical.vendor_id), "-",
                      absl::Hex(physical.device_id), "-", absl::Hex(physical.driver_version), "-",
                      absl::BytesToHexString(uuid), ".pipelines");
}

}  // namespace

std::string EncodePipelineCache(const PhysicalDevice& physical, absl::string_view data) {
  const FileHeader header = HeaderFor(physical, data);
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&header), sizeof(header)),
                      data);
}

absl::StatusOr<std::string> DecodePipelineCache(const PhysicalDevice& physical,
                                                absl::string_view file) {
  FileHeader header;
  if (file.size() < sizeof(header)) {
    return absl::DataLossError(
        absl::StrCat("a file of ", file.size(), " bytes is shorter than its header"));
  }
  std::memcpy(&header, file.data(), sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 || header.version != kVersion) {
    return absl::DataLossError("not a pipeline cache of this version");
  }
  if (header.header_crc != Crc32c(&header, offsetof(FileHeader, header_crc))) {
    return absl::DataLossError("the header's checksum is wrong");
  }
  const absl::string_view data = file.substr(sizeof(header));
  if (header.data_bytes != data.size()) {
    return absl::DataLossError(
        absl::StrCat(data.size(), " bytes of data, not ", header.data_bytes, ": torn"));
  }
  // Whatever else differs is the device, or the data by their checksum.
  const FileHeader expected = HeaderFor(physical, data);
  if (header.data_crc != expected.data_crc) {
    return absl::DataLossError("the data's checksum is wrong");
  }
  if (std::memcmp(&header, &expected, sizeof(header)) != 0) {
    return absl::DataLossError("the file is of another device or driver");
  }
  TANDEM_RETURN_IF_ERROR(CheckDriverHeader(physical, data));
  return std::string(data);
}

absl::StatusOr<std::shared_ptr<PipelineCache>> PipelineCache::Create(
    std::shared_ptr<VulkanContext> context, const std::string& directory) {
  std::shared_ptr<PipelineCache> cache(new PipelineCache(std::move(context), directory));
  TANDEM_RETURN_IF_ERROR(cache->Init());
  return cache;
}

PipelineCache::PipelineCache(std::shared_ptr<VulkanContext> context, const std::string& directory)
    : context_(std::move(context)), path_(PathOf(context_->physical(), directory)) {}

PipelineCache::~PipelineCache() {
  if (handle_ == VK_NULL_HANDLE) return;
  Save().IgnoreError();  // Save has told
  context_->functions().DestroyPipelineCache(context_->device(), handle_, nullptr);
}

absl::Status PipelineCache::Init() {
  std::string data;
  if (!path_.empty()) {
    absl::StatusOr<std::string> file = ReadFile(path_);
    if (file.ok()) {
      absl::StatusOr<std::string> decoded = DecodePipelineCache(context_->physical(), *file);
      if (decoded.ok()) {
        data = *std::move(decoded);
        bytes_read_ = static_cast<int64_t>(file->size());
      } else {
        load_status_ = Annotate(decoded.status(), path_);
      }
    } else if (!absl::IsNotFound(file.status())) {
      load_status_ = file.status();
    }
  }
  VkPipelineCacheCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  info.initialDataSize = data.size();
  info.pInitialData = data.data();
  VkResult result = context_->InjectedFault();
  if (result == VK_SUCCESS) {
    result =
        context_->functions().CreatePipelineCache(context_->device(), &info, nullptr, &handle_);
  }
  return context_->Check(result, "vkCreatePipelineCache");
}

std::string PipelineCache::Describe() const {
  if (path_.empty()) return "off: no cache_dir";
  if (!load_status_.ok()) return absl::StrCat("ignored: ", load_status_.message());
  if (bytes_read_ == 0) return absl::StrCat("new: ", path_);
  return absl::StrCat("read ", bytes_read_, " bytes: ", path_);
}

absl::Status PipelineCache::save_status() const {
  absl::MutexLock lock(&mutex_);
  return save_status_;
}

absl::StatusOr<std::string> PipelineCache::Data() const {
  const DeviceFunctions& vk = context_->functions();
  std::string data;
  VkResult result = VK_INCOMPLETE;
  // Other threads may add pipelines between the two calls.
  for (int attempt = 0; attempt < 8 && result == VK_INCOMPLETE; ++attempt) {
    size_t size = 0;
    TANDEM_RETURN_IF_ERROR(
        context_->Check(vk.GetPipelineCacheData(context_->device(), handle_, &size, nullptr),
                        "vkGetPipelineCacheData"));
    data.resize(size);
    result = vk.GetPipelineCacheData(context_->device(), handle_, &size, data.data());
    data.resize(size);
  }
  // A part of the pipelines is as valid as all of them.
  if (result != VK_INCOMPLETE) {
    TANDEM_RETURN_IF_ERROR(context_->Check(result, "vkGetPipelineCacheData"));
  }
  return data;
}

void PipelineCache::NoteNewPipeline() {
  unsaved_.fetch_add(1, std::memory_order_relaxed);
  LightMutexLock lock(&listener_mutex_);
  if (listener_ != nullptr) listener_();
}

void PipelineCache::SetListener(std::function<void()> listener) {
  LightMutexLock lock(&listener_mutex_);
  listener_ = std::move(listener);
}

absl::Status PipelineCache::Save() {
  if (path_.empty()) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  const int64_t unsaved = unsaved_.load(std::memory_order_relaxed);
  if (unsaved == 0) return absl::OkStatus();
  const absl::StatusOr<std::string> data = Data();
  save_status_ =
      Annotate(data.ok() ? WriteCacheFile(path_, EncodePipelineCache(context_->physical(), *data))
                         : data.status(),
               "pipeline cache");
  if (!save_status_.ok() && !warned_) {
    // A run without the file is right, only its starts are slow: nobody else would tell.
    warned_ = true;
    std::fprintf(stderr, "tandem: %s\n", std::string(save_status_.message()).c_str());
  }
  if (save_status_.ok()) unsaved_.fetch_sub(unsaved, std::memory_order_relaxed);
  return save_status_;
}

}  // namespace tandem::vulkan_backend
