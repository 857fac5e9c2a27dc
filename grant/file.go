package grant

import "time"

// File is something to download. It does not change once it is uploaded, save for
// its name and version.
type File struct {
	ID             string
	OrganizationID string
	Name           string // as people know it: never a path, and never a key
	Version        string
	MIMEType       string
	Size           int64
	SHA256         string // in hex; before it is uploaded, what was announced, if anything
	Upload         string // the id of the announcement that counts
	Blob           string // its key in the store; empty until its bytes are there
	CreatedAt      time.Time
	UploadedAt     time.Time // zero: nobody may see it yet
	ModifiedAt     time.Time
}

// FileFilter chooses files; an empty field chooses all.
type FileFilter struct{ IDs, OrganizationIDs []string }

// Download is a file as one fulfilment has it.
type Download struct {
	File
	Owed      bool   // the customer may have it now
	Max       *int64 // how many times; nil: as the kind's config says, 0: any number
	Count     int64  // how many times it was downloaded
	CountedAt time.Time
}

// FileMissingCode is the error code of what waits for a file to be put.
const FileMissingCode = "file_missing"
