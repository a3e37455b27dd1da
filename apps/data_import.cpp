// reverie data import: creates image sets from files in other formats.
#include <map>

#include "apps/data_shape.h"
#include "apps/set_output.h"
#include "data/crops.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/json_images.h"
#include "data/nifti.h"
#include "data/npy.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void add_size(CLI::App* command, std::string& size) {
  command->add_option("--size", size, "Crop and resample to this size [size of the files]")->type_name("HxW");
}

void add_channels(CLI::App* command, Index& channels) {
  command->add_option("--channels", channels, "1 for grey, 3 for colour [channels of the files]")
      ->type_name("1|3")
      ->check(CLI::IsMember({1, 3}).description(""));
}

void add_class_names(CLI::App* command, std::vector<std::string>& names) {
  command->add_option("--class-names", names, "Names of the classes, separated by commas [their numbers]")
      ->type_name("A,B")
      ->delimiter(',');
}

void add_idx(CLI::App* import) {
  struct Options : ImportOutput {
    std::string images, labels;
    std::vector<std::string> class_names;
    Index first = all_samples;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = import->add_subcommand("idx", "Import files in MNIST's IDX format, plain or gzipped");
  command->add_option("--images", options->images, "File with the images")->type_name("FILE")->required();
  command->add_option("--labels", options->labels, "File with the labels")->type_name("FILE");
  add_class_names(command, options->class_names);
  command->add_option("--first", options->first, "Import only the first N images [all]")
      ->type_name("N")
      ->check(positive);
  options->add_to(command);
  command->footer(
      "example: reverie data import idx --images train-images-idx3-ubyte.gz \\\n"
      "           --labels train-labels-idx1-ubyte.gz --out mnist.h5");
  command->callback([options] {
    options->check({{"--images", options->images}, {"--labels", options->labels}});
    ImageSet set = read_idx(options->images, options->labels, options->class_names, options->first);
    if (options->first != all_samples && options->first > set.count) {
      throw UsageError("--first ", options->first, ": ", options->images, " has ", set.count, " images");
    }
    options->save({std::move(set)});
  });
}

void add_images(CLI::App* import) {
  struct Options : ImportOutput {
    std::string folder, size;
    std::vector<Index> range;
    bool no_classes = false;
    ImageFolderOptions images;
  };
  auto options = std::make_shared<Options>();
  ImageFolderOptions& images = options->images;
  CLI::App* command =
      import->add_subcommand("images", "Import a folder of PNG and JPEG files; its subfolders are classes");
  command->add_option("--folder", options->folder, "Folder to import")->type_name("DIR")->required();
  add_size(command, options->size);
  add_channels(command, images.channels);
  command
      ->add_option("--range", options->range,
                   "For 16-bit PNG files: the samples that become black and white, e.g. 0 4095 for 12 bits [0 65535]")
      ->type_name("LOW HIGH")
      ->expected(2)
      ->check(CLI::Range(0, 65535).description(""));
  command->add_flag("--recursive", images.recursive, "Read folders inside folders too [only subfolders]");
  command->add_flag("--no-classes", options->no_classes, "Subfolders are not classes");
  command
      ->add_option("--class-pattern", images.class_pattern,
                   "A regular expression whose first group, in a file's name, is its class: '^([a-z]+)_'")
      ->type_name("REGEX");
  command
      ->add_option("--group-pattern", images.group_pattern,
                   "A regular expression whose first group, in a file's path inside the folder, is its group (a "
                   "patient, a slide), which --validation keeps whole: '(patient[0-9]+)'")
      ->type_name("REGEX");
  command
      ->add_option("--captions", images.captions,
                   "X.csv or X.tsv with lines `file,caption`; each picture needs one [no captions]")
      ->type_name("FILE");
  options->add_to(command);
  command->footer(
      "example: reverie data import images --folder photos/ --size 32x32 \\\n"
      "           --validation 0.1 --out photos.h5");
  command->callback([options, command] {
    ImageFolderOptions& images = options->images;
    if (!options->size.empty()) {
      const ImageSize size = parse_size("--size", options->size);
      images.height = size.height;
      images.width = size.width;
    }
    if (!options->range.empty()) images.range = {options->range[0], options->range[1]};
    require_used(command, "--no-classes", images.class_pattern.empty(), "with --class-pattern");
    require_used(command, "--group-pattern", options->validation > 0, "without --validation");
    images.folders_are_classes = !options->no_classes;
    images.note = print_note;
    options->check({{"--folder", options->folder}, {"--captions", images.captions}});
    options->save(read_image_folder(options->folder, images));
  });
}

void add_crops(CLI::App* import) {
  struct Options : ImportOutput {
    std::string folder, labels;
    CropOptions crops;
  };
  auto options = std::make_shared<Options>();
  CropOptions& crops = options->crops;
  CLI::App* command =
      import->add_subcommand("crops", "Import squares around labelled points or boxes in pictures, e.g. cells");
  command->add_option("--folder", options->folder, "Folder with PNG and JPEG files")->type_name("DIR")->required();
  command
      ->add_option(
          "--labels", options->labels,
          "Folder with a list for each picture: P.txt, P.csv or P.tsv for P.jpg, with lines `x y label` or `x0 "
          "y0 x1 y1 label`, in pixels")
      ->type_name("DIR")
      ->required();
  command->add_option("--crop", crops.crop, "Side of the squares, pixels [the longer side of each box]")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 14).description(""));
  command->add_option("--size", crops.size, "Resample the squares to NxN pixels [--crop]")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 12).description(""));
  add_channels(command, crops.channels);
  command->add_option("--class-names", crops.class_names, "Names of the labels 0, 1, ... [the labels]")
      ->type_name("A,B")
      ->delimiter(',');
  command->add_option("--only", crops.only, "Import these classes only [all]")->type_name("A,B")->delimiter(',');
  command->add_flag("--standardise", crops.standardise,
                    "Give each channel of each crop the same mean and spread, so that stain and light don't count");
  options->add_to(command);
  command->footer(
      "example: reverie data import crops --folder smears/ --labels cells/ --crop 80 \\\n"
      "           --size 32 --class-names normal,sickle --validation 0.1 --out cells.h5");
  command->callback([options] {
    options->crops.note = print_note;
    options->check({{"--folder", options->folder}, {"--labels", options->labels}});
    options->save(read_crops(options->folder, options->labels, options->crops));
  });
}

void add_nifti(CLI::App* import) {
  struct Options : ImportOutput {
    std::vector<std::string> volumes, masks;
    std::string crop;
    bool with = false, without = false;
    NiftiOptions nifti;
  };
  auto options = std::make_shared<Options>();
  NiftiOptions& nifti = options->nifti;
  CLI::App* command = import->add_subcommand("nifti", "Import slices or patches of medical volumes (NIfTI)");
  command->add_option("--volume", options->volumes, "Volumes X.nii or X.nii.gz; each is a group, e.g. a patient")
      ->type_name("FILE...")
      ->required();
  command->add_option("--mask", options->masks, "A mask for each volume; its voxels other than 0 become masks [none]")
      ->type_name("FILE...");
  command->add_option("--axis", nifti.axis, "Axis across the slices: 0 (x), 1 (y) or 2 (z) [2]")
      ->type_name("AXIS")
      ->check(CLI::Range(0, 2).description(""));
  command->add_option("--every", nifti.every, "Import every Nth slice [1]")->type_name("N")->check(positive);
  command->add_option("--patch", nifti.patch, "Cut the slices into squares of this side [whole slices]")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 14).description(""));
  command->add_option("--stride", nifti.stride, "Distance of the patches [--patch]")->type_name("N")->check(positive);
  command->add_option("--crop", options->crop, "Cut the centre of each slice to this size [whole slices]")
      ->type_name("HxW");
  command
      ->add_option("--window", nifti.window,
                   "The values that become black and white: numbers, or percentiles of the voxels above 0 (the brain, "
                   "if the skull is removed) such as p99 [0,p99]")
      ->type_name("LOW,HIGH");
  command->add_option("--brain", nifti.brain, "Leave out images with a smaller share of voxels above 0 [0]")
      ->type_name("SHARE")
      ->check(finite);
  auto* with = command->add_flag("--with-mask", options->with, "Import images with voxels in the mask only");
  command->add_flag("--without-mask", options->without, "Import images without voxels in the mask only")
      ->excludes(with);
  options->add_to(command);
  command->footer(
      "example: reverie data import nifti --volume a-flair.nii.gz b-flair.nii.gz \\\n"
      "           --mask a-lesions.nii.gz b-lesions.nii.gz --patch 32 --stride 16 \\\n"
      "           --brain 0.7 --without-mask --out healthy.h5");
  command->callback([options, command] {
    NiftiOptions& nifti = options->nifti;
    require_used(command, "--stride", nifti.patch > 0, "without --patch");
    require_used(command, "--with-mask", !options->masks.empty(), "without --mask");
    require_used(command, "--without-mask", !options->masks.empty(), "without --mask");
    if (nifti.stride == 0) nifti.stride = nifti.patch;
    if (!options->crop.empty()) {
      const ImageSize size = parse_size("--crop", options->crop);
      nifti.height = size.height;
      nifti.width = size.width;
    }
    nifti.filter = options->with ? MaskFilter::with : options->without ? MaskFilter::without : MaskFilter::all;
    nifti.note = print_note;
    std::vector<Input> inputs;
    for (const std::string& path : options->volumes) inputs.push_back({"--volume", path});
    for (const std::string& path : options->masks) inputs.push_back({"--mask", path});
    options->check(inputs);
    options->save(read_nifti_images(options->volumes, options->masks, nifti));
  });
}

void add_json(CLI::App* import) {
  struct Options : ImportOutput {
    std::string folder, size;
    std::vector<std::string> class_names;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = import->add_subcommand("json", "Import JSON files of pixels, one per class, as Fashion-MNIST's");
  command
      ->add_option("--folder", options->folder,
                   "Folder with a file for each class: {\"data\": [[pixel, ...], ...]}, pixels from 0 to 255")
      ->type_name("DIR")
      ->required();
  command->add_option("--size", options->size, "Size of the images")->type_name("HxW")->required();
  command->add_option("--class-names", options->class_names, "Names of the classes, in the order of the files [files]")
      ->type_name("A,B")
      ->delimiter(',');
  options->add_to(command);
  command->footer(
      "example: reverie data import json --folder clothes/ --size 28x28 \\\n"
      "           --out clothes.h5");
  command->callback([options] {
    const ImageSize size = parse_size("--size", options->size);
    options->check({{"--folder", options->folder}});
    options->save({read_json_images(options->folder, size.height, size.width, options->class_names, print_note)});
  });
}

void add_npy(CLI::App* import) {
  struct Options : ImportOutput {
    std::string images, labels;
    NpyImageOptions npy;
  };
  auto options = std::make_shared<Options>();
  NpyImageOptions& npy = options->npy;
  CLI::App* command = import->add_subcommand("npy", "Import NumPy's arrays, X.npy or X.npz");
  command
      ->add_option("--images", options->images,
                   "X.npy with images [N,H,W] or [N,H,W,C], or X.npz with an array `images` and perhaps `labels`")
      ->type_name("FILE")
      ->required();
  command->add_option("--labels", options->labels, "Y.npy with labels [N]: whole numbers from 0 [none]")
      ->type_name("FILE");
  add_class_names(command, npy.class_names);
  command->add_option("--range", npy.range, "The values that become black and white, e.g. 0 1 or -1 1 [0 255]")
      ->type_name("LOW HIGH")
      ->expected(2)
      ->check(finite);
  command->add_flag("--channels-first", npy.channels_first, "The images are [N,C,H,W]");
  options->add_to(command);
  command->footer(
      "example: reverie data import npy --images photos.npy --labels labels.npy \\\n"
      "           --out photos.h5");
  command->callback([options] {
    options->check({{"--images", options->images}, {"--labels", options->labels}});
    const bool archive = options->images.ends_with(".npz");
    if (archive && !options->labels.empty())
      throw UsageError("--labels: has no effect with X.npz, whose array `labels` they are");
    std::map<std::string, NpyArray> arrays;
    if (archive) {
      arrays = read_npz(options->images);
    } else {
      arrays["images"] = read_npy(options->images);
      if (!options->labels.empty()) arrays["labels"] = read_npy(options->labels);
    }
    for (const auto& [name, array] : arrays)
      if (name != "images" && name != "labels") print_note(concat("left out: the array `", name, "`"));
    if (!arrays.contains("images")) throw Error(options->images, ": has no array `images`");
    const NpyArray* labels = arrays.contains("labels") ? &arrays["labels"] : nullptr;
    options->save({images_from(arrays["images"], labels, options->npy, options->images)});
  });
}

}  // namespace

void add_import(CLI::App* data) {
  CLI::App* import = data->add_subcommand("import", "Create an image set from files in other formats");
  need_subcommand(import);
  add_images(import);
  add_crops(import);
  add_nifti(import);
  add_idx(import);
  add_json(import);
  add_npy(import);
  import->footer(
      "example: reverie data import images --folder photos/ --size 64x64 \\\n"
      "           --out photos.h5");
}

}  // namespace reverie::inline REVERIE_PRECISION
